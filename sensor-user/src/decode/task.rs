//! The acting task.

use claviger_sensor_common::{Ancestor, TaskSnapshot};

use super::{
    Marks,
    numbers::{id, stat_device, ticks},
};

/// What identifies a process on this boot: its id and its start, in the ticks of /proc/PID/stat.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProcessKey {
    /// Process id in the initial pid namespace.
    pub pid: u32,
    /// Start in clock ticks since boot.
    pub start_ticks: u64,
}

impl From<&Ancestor> for ProcessKey {
    fn from(ancestor: &Ancestor) -> Self {
        Self {
            pid: ancestor.pid,
            start_ticks: ticks(ancestor.start_boottime_ns),
        }
    }
}

/// One program run of a process: what it does from one start of a program to the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProgramRun {
    /// The process.
    pub process: ProcessKey,
    /// The kernel's number of it: how many programs the process, and those that it was forked from, have started.
    pub exec_id: u32,
}

impl From<&Ancestor> for ProgramRun {
    fn from(ancestor: &Ancestor) -> Self {
        Self {
            process: ancestor.into(),
            exec_id: ancestor.exec_id,
        }
    }
}

/// A task as the kernel saw it at the moment of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Task {
    /// Its process.
    pub process: ProcessKey,
    /// Which of the program runs of its process.
    pub exec_id: u32,
    /// Its thread id in the initial pid namespace.
    pub tid: u32,
    /// Command name of the thread group leader.
    pub comm: String,
    /// `st_dev` and inode of the executable; nothing for kernel threads.
    pub exe: Option<(u64, u64)>,
    /// What marks the executable.
    pub exe_marks: Marks,
    /// Real user id.
    pub uid: Option<u32>,
    /// Real group id.
    pub gid: Option<u32>,
    /// Effective user id.
    pub euid: Option<u32>,
    /// Effective group id.
    pub egid: Option<u32>,
    /// User id at login.
    pub login_uid: Option<u32>,
    /// Effective capabilities.
    pub effective_capabilities: u64,
    /// Cgroup v2 id.
    pub cgroup_id: u64,
    /// Mount namespace by inode.
    pub mount_namespace: u32,
    /// Pid namespace by inode.
    pub pid_namespace: u32,
    /// Network namespace by inode.
    pub network_namespace: u32,
    /// User namespace by inode.
    pub user_namespace: u32,
    /// Ancestors, parent first.
    pub ancestors: Vec<ProgramRun>,
}

impl Task {
    /// Its program run.
    #[must_use]
    pub fn run(&self) -> ProgramRun {
        ProgramRun {
            process: self.process,
            exec_id: self.exec_id,
        }
    }
}

impl From<&TaskSnapshot> for Task {
    fn from(snapshot: &TaskSnapshot) -> Self {
        let comm = snapshot.comm.split(|byte| *byte == 0).next().unwrap_or_default();
        Self {
            process: ProcessKey {
                pid: snapshot.pid,
                start_ticks: ticks(snapshot.start_boottime_ns),
            },
            exec_id: snapshot.exec_id,
            tid: snapshot.tid,
            comm: super::display(comm),
            exe: (snapshot.exe_inode != 0).then(|| (stat_device(snapshot.exe_device), snapshot.exe_inode)),
            exe_marks: Marks::new(snapshot.exe_marks),
            uid: id(snapshot.uid),
            gid: id(snapshot.gid),
            euid: id(snapshot.euid),
            egid: id(snapshot.egid),
            login_uid: id(snapshot.login_uid),
            effective_capabilities: snapshot.effective_capabilities,
            cgroup_id: snapshot.cgroup_id,
            mount_namespace: snapshot.mount_namespace,
            pid_namespace: snapshot.pid_namespace,
            network_namespace: snapshot.network_namespace,
            user_namespace: snapshot.user_namespace,
            ancestors: snapshot
                .ancestors
                .iter()
                .take_while(|ancestor| ancestor.pid != 0)
                .map(ProgramRun::from)
                .collect(),
        }
    }
}
