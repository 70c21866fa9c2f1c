//! Who has asked for what ends later. A ring completes in the thread that submitted, in a worker of its own, or, when that thread has ended, in a thread of the
//! kernel's that has another memory, other files and another root, and has done nothing. So who asks is kept from the beginning.

use core::ffi::c_void;

use aya_ebpf::helpers::generated::bpf_probe_read_kernel;
use claviger_sensor_common::{ANCESTORS_MAX, Ancestor, COMM_BYTES, TaskSnapshot};

use crate::{
    numbers::untyped,
    path::{self, Place},
    read::{Probed, Read, Typed},
    task,
};

/// Who asks, and what is the root for it.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Actor {
    root_dentry: u64,
    root_mount: u64,
    pub task: TaskSnapshot,
}

impl Actor {
    pub const NOBODY: Self = Self {
        root_dentry: 0,
        root_mount: 0,
        task: TaskSnapshot {
            pid: 0,
            tid: 0,
            start_boottime_ns: 0,
            effective_capabilities: 0,
            cgroup_id: 0,
            exe_inode: 0,
            exe_device: 0,
            uid: 0,
            gid: 0,
            euid: 0,
            egid: 0,
            login_uid: 0,
            mount_namespace: 0,
            pid_namespace: 0,
            network_namespace: 0,
            user_namespace: 0,
            exec_id: 0,
            exe_marks: 0,
            comm: [0; COMM_BYTES],
            ancestors: [Ancestor {
                pid: 0,
                exec_id: 0,
                start_boottime_ns: 0,
            }; ANCESTORS_MAX],
        },
    };

    /// It is the current task.
    #[inline(always)]
    pub fn take_current(&mut self) {
        let root = path::root::<Typed>(task::current());
        self.root_dentry = untyped(root.dentry);
        self.root_mount = untyped(root.mount);
        task::snapshot(&raw mut self.task);
    }

    /// Whether the current task is of its process, so that what it has open, and where it is, is that process's.
    #[inline(always)]
    pub fn is_current(&self) -> bool {
        self.task.pid == task::current_pid()
    }
}

/// Writes the snapshot of an actor, which lies in a map, to `out`.
#[inline(always)]
pub fn copy_task(actor: u64, out: *mut TaskSnapshot) {
    let from = actor as usize + core::mem::offset_of!(Actor, task);
    // SAFETY: `out` points into a reservation of the ring that holds a TaskSnapshot; the helper copies from any address and reports a fault instead of
    // taking it.
    unsafe {
        bpf_probe_read_kernel(
            out.cast(),
            size_of::<TaskSnapshot>() as u32,
            from as *const c_void,
        )
    };
}

/// The root of an actor. It is only compared with: of one that has ended, nothing may be left of it.
#[inline(always)]
pub fn root(actor: u64) -> Place {
    let actor = actor as *const u8;
    Place {
        dentry: Probed::read::<usize>(actor, core::mem::offset_of!(Actor, root_dentry) as u32) as *const u8,
        mount: Probed::read::<usize>(actor, core::mem::offset_of!(Actor, root_mount) as u32) as *const u8,
    }
}
