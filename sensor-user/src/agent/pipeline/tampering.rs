//! What is done to the sensor itself.

use std::{
    ffi::OsStr,
    fs, io,
    os::unix::{ffi::OsStrExt as _, fs::MetadataExt as _},
    path::{Path, PathBuf},
};

use claviger_proto::{Shared, v1::Tamper as Part};
use claviger_sensor_common::{ObjectKey, UNKNOWN_ID};
use rustix::{
    io::Errno,
    process::{getpgrp, getuid},
};

use super::{
    changes::{outcome as outcome_of, path_of},
    uses::{outcome_of as outcome_of_use, probe_of, was_under_way},
    *,
};
use crate::{
    agent::{follow::Tree, repeats::First},
    attribute::{is_own_mount_namespace, is_own_pid_namespace, is_own_user_namespace, mount_namespace_of},
    decode::{
        Above, Access, Attempt, Covers, Done, End, FileOperation, FilePath, FileUse, Held, Hold, Start,
        Tamper, Task,
    },
};

/// errno(3): a program that runs cannot be written.
pub(super) const ETXTBSY: u32 = 26;

/// In the words of the contract.
const WRITTEN: &str = "file_written";
const KEY_READ: &str = "key_read";
const SETTING: &str = "setting";

/// By which hook something was seen, and when; with `repeats`, so many repeats of it, now.
pub(super) struct Seen {
    pub observation: Shared<Observation>,
    pub time_boot_ns: u64,
    pub repeats: Option<u64>,
}

impl<S: Sink> Agent<S> {
    pub(super) fn tampered(&mut self, tamper: Tamper) {
        let told = self.tell_tamper(&tamper, None);
        if matches!(tamper.done, Done::Mount { .. }) {
            self.mounted();
            if tamper.errno == 0 && !is_own_mount_namespace(tamper.task.mount_namespace) {
                self.worker
                    .mounted_by(tamper.task.process, tamper.task.mount_namespace);
            }
        }
        if !tamper.done.repeats() {
            return;
        }
        self.repeats.keep(
            tamper.key,
            tamper.task.process,
            match told {
                Ok(()) => First::Tamper(Box::new(tamper)),
                Err(_) => First::Dropped,
            },
        );
    }

    /// Tells what was done to the sensor, or why it is nothing to tell. With `repeats`, so many repeats of it, now.
    pub(super) fn tell_tamper(&mut self, tamper: &Tamper, repeats: Option<u64>) -> Result<(), NotTold> {
        self.accounts.received += 1;
        let sender = tamper.task.process.pid;
        let signal = |number: u32| ("signal", format!("signal {number}"));
        let (what, target) = match &tamper.done {
            Done::Signal(number) => signal(*number),
            Done::RefusedSignal { number, given } => {
                if !is_own_pid_namespace(tamper.task.pid_namespace) || !is_own_thread(*given) {
                    return Err(self.drop_record(Dropped::SignalToAnother));
                }
                signal(*number)
            }
            Done::RefusedSignalByDescriptor { number, descriptor } => {
                if !is_own_behind(process_behind(sender, *descriptor)) {
                    return Err(self.drop_record(Dropped::SignalToAnother));
                }
                signal(*number)
            }
            Done::Bpf { command, object } => {
                let object = self.kernel.own.describe(*object);
                ("bpf", format!("{} of {object}", command_word(*command)))
            }
            Done::Mount { path, above, covers } => {
                let seen = above.as_ref().map_or(path, |above| &above.path);
                let hides = match covers {
                    Covers::Own => true,
                    Covers::Above => hides_what_is_below(&tamper.task),
                    // What is mounted by right of a user namespace of one's own comes to no other's mounts.
                    Covers::Unknown if !is_own_user_namespace(tamper.task.user_namespace) => false,
                    Covers::Unknown => match self.covers_by_path(seen, above.as_ref(), path, &tamper.task) {
                        Ok(covers) => covers,
                        Err(reason) => {
                            self.accounts.lose(reason, 1);
                            return Err(NotTold::Lost(reason));
                        }
                    },
                };
                if !hides {
                    return Err(self.drop_record(Dropped::MountElsewhere));
                }
                ("mount_over", seen.display())
            }
            Done::Held { how, given } => {
                if !is_own_held(how, *given, &tamper.task) {
                    return Err(self.drop_record(Dropped::AnotherProcessHeld));
                }
                how.told()
            }
        };
        if what == SETTING
            && let Some(test) = &mut self.condition.self_test
        {
            test.doubt();
        }
        let outcome = match tamper.errno {
            // The kernel still decides.
            _ if what == SETTING => (Outcome::Unknown, 0),
            0 => (Outcome::Succeeded, 0),
            errno => (Outcome::Denied, errno),
        };
        let mut observation = self.observation(Probe::SensorTamper);
        let hook = hook_of(what, outcome.0, observation.hook.clone());
        observation.to_mut().hook = hook;
        let seen = Seen {
            observation,
            time_boot_ns: tamper.time_boot_ns,
            repeats,
        };
        self.push_tamper(&tamper.task, what, target, outcome, seen);
        Ok(())
    }

    /// Tells the use of a file of the sensor's own, of this path, where it may be written by it, and of a key any. With `held`, that it was under way
    /// already.
    pub(super) fn tell_own_file(
        &mut self,
        file: &FileUse,
        own: &Path,
        repeats: Option<u64>,
        held: Option<&Held>,
    ) -> Result<(), NotTold> {
        let is_open = file.operation == FileOperation::Open;
        let what = match self.own_use(is_open && writes(file.access), own) {
            Ok(what) => what,
            Err(reason) => {
                self.condition.self_test_opens += u64::from(is_open && reason == Dropped::SelfTest);
                return Err(self.drop_record(reason));
            }
        };
        let seen = Seen {
            observation: self.observation(probe_of(file)),
            time_boot_ns: file.time_boot_ns,
            repeats,
        };
        let target = file.path.display();
        let mut event = self.tamper_event(&file.task, what, target, outcome_of_use(file), seen);
        if let Some(held) = held {
            was_under_way(&mut event, held.pre_existing, held.since_boot_ns);
        }
        self.push(event, None);
        Ok(())
    }

    /// Tells an attempt, of which only the path is known, where it was to write a file of the sensor's own, or to open a key. Returns whether it was.
    pub(super) fn attempted_tamper(&mut self, attempt: &Attempt) -> bool {
        let path = Path::new(OsStr::from_bytes(&attempt.path.bytes));
        let own = &self.options.own;
        let what = if writes(attempt.access) && own.holds(&resolved(path)).is_some() {
            WRITTEN
        } else if own.keys().iter().any(|key| key == path) {
            KEY_READ
        } else {
            return false;
        };
        let is_same = match attempt.start {
            Start::Root => is_own_tree(attempt) || leads_to_same(&attempt.task, path, path, false),
            Start::Outside => true,
            Start::Elsewhere => false,
        };
        if !is_same {
            // Of its own program nothing else would be told.
            let is_lost = attempt.end == End::Refused(ETXTBSY);
            if is_lost {
                self.accounts.received += 1;
                self.accounts.lose(LostHere::RefusedNotFollowed, 1);
            }
            return is_lost;
        }
        self.tell_attempted(attempt, what);
        true
    }

    /// Tells an attempt whose path leads to a file of the sensor's own, which it has at this path, as [`Agent::tell_own_file`] does.
    pub(super) fn tell_own_by_path(&mut self, attempt: &Attempt, own: &Path, object: ObjectKey) {
        let what = match self.own_use(writes(attempt.access), own) {
            Ok(what) if !self.is_told_by_object(attempt, Some(object)) => what,
            told => {
                self.accounts.received += 1;
                return self
                    .accounts
                    .drop_record(told.err().unwrap_or(Dropped::ToldByObject));
            }
        };
        self.tell_attempted(attempt, what);
    }

    /// What it is to open a file of the sensor's own; why it is nothing.
    fn own_use(&self, writes: bool, own: &Path) -> Result<&'static str, Dropped> {
        if writes {
            Ok(WRITTEN)
        } else if self.options.own.keys().iter().any(|key| key == own) {
            Ok(KEY_READ)
        } else if self.options.own.self_test() == Some(own) {
            Err(Dropped::SelfTest)
        } else {
            Err(Dropped::OwnFileRead)
        }
    }

    fn tell_attempted(&mut self, attempt: &Attempt, what: &'static str) {
        self.accounts.received += 1;
        let probe = match attempt.end {
            End::Refused(_) => Probe::FileOpenDenied,
            _ => Probe::FileOpen,
        };
        let outcome = outcome_of(attempt.end);
        let target = attempt.path.display();
        let seen = Seen {
            observation: self.observation(probe),
            time_boot_ns: attempt.time_boot_ns,
            repeats: None,
        };
        self.push_tamper(&attempt.task, what, target, outcome, seen);
    }

    pub(super) fn push_tamper(
        &mut self,
        task: &Task,
        what: &str,
        target: String,
        outcome: (Outcome, u32),
        seen: Seen,
    ) {
        let event = self.tamper_event(task, what, target, outcome, seen);
        self.push(event, None);
    }

    fn tamper_event(
        &mut self,
        task: &Task,
        what: &str,
        target: String,
        outcome: (Outcome, u32),
        seen: Seen,
    ) -> Event {
        let Seen {
            observation,
            time_boot_ns,
            repeats,
        } = seen;
        let mut event = self
            .facts
            .used(EventKind::SensorTamper, task, outcome, observation);
        at(&mut event, time_boot_ns, repeats);
        event.tamper = Some(Box::new(Part {
            what: what.to_owned(),
            target,
        }));
        event
    }

    /// Whether a mount hides a file of the sensor, by its path, which is `theirs` for who mounts; why nobody knows.
    fn covers_by_path(
        &self,
        seen: &FilePath,
        above: Option<&Above>,
        theirs: &FilePath,
        task: &Task,
    ) -> Result<bool, LostHere> {
        if seen.truncated {
            return Err(LostHere::PathCut);
        }
        let given = path_of(seen);
        let path = resolved(&given);
        let own = &self.options.own;
        if own.holds(&path).is_none() {
            return Ok(own.hidden_below(&path).is_some() && hides_what_is_below(task));
        }
        match above {
            // It leads to another directory now; nothing says that it did then.
            Some(above)
                if above.is_elsewhere
                    && (above.is_outside
                        || !leads_to_same(task, &given, &path_of(theirs), above.is_copy)) =>
            {
                Err(LostHere::PathNotFollowed)
            }
            _ => Ok(true),
        }
    }
}

/// A mount above the sensor's files hides them from the sensor only in its own mount namespace, or in the first one, from which mounts come to
/// others. One that cannot be read may be the one it is in.
fn hides_what_is_below(task: &Task) -> bool {
    let mut matters = [1, std::process::id()].map(mount_namespace_of).into_iter();
    matters.any(|namespace| namespace.is_none_or(|namespace| namespace == task.mount_namespace))
}

fn writes(access: Access) -> bool {
    matches!(access, Access::Write | Access::ReadWrite)
}

/// With symbolic links followed as the sensor's root has them, as far as it is there.
fn resolved(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_owned())
}

/// Whether an attempt was made in the sensor's tree, from its root.
fn is_own_tree(attempt: &Attempt) -> bool {
    let own = Tree::own();
    own.is_some_and(|own| own.mount_namespace == attempt.task.mount_namespace && own.root == attempt.root)
}

/// Whether a path of the sensor's leads a process, for which it is `theirs`, into the same directory, as that is now. Of one that cannot be looked at any more, where
/// its tree `is_copy`: what it had mounted there is not known, but who has mounts in a user namespace of his own has no rights on the sensor's files.
pub(super) fn leads_to_same(task: &Task, path: &Path, theirs: &Path, is_copy: bool) -> bool {
    let (Some(directory), Some(below)) = (path.parent(), theirs.parent()) else {
        return true;
    };
    let numbers = |path: &Path| {
        let facts = fs::metadata(path).ok()?;
        Some((facts.dev(), facts.ino()))
    };
    let below = below.strip_prefix("/").unwrap_or(below);
    let theirs = Path::new("/proc").join(task.process.pid.to_string()).join("root");
    // That it runs a shadow of the path proves nothing where it cannot be looked at.
    match (numbers(directory), numbers(&theirs.join(below))) {
        (Some(own), Some(theirs)) => own == theirs,
        _ => is_copy && is_own_user_namespace(task.user_namespace),
    }
}

/// Whether what was held is the sensor, or the sensor among others.
fn is_own_held(how: &Hold, given: u32, task: &Task) -> bool {
    let is_here = || is_own_pid_namespace(task.pid_namespace);
    match how {
        Hold::SchedulingOfGroup(_) if given != 0 => {
            u32::try_from(getpgrp().as_raw_nonzero().get()) == Ok(given) && is_here()
        }
        // Of one that the kernel half does not know it may be. The kernel goes through those that the caller can see.
        Hold::SchedulingOfUser(_) => (given == getuid().as_raw() || given == UNKNOWN_ID) && is_here(),
        _ => given == 0 || is_here(),
    }
}

pub(super) fn is_own_thread(id: u32) -> bool {
    id == std::process::id() || Path::new("/proc/self/task").join(id.to_string()).exists()
}

/// Whether the process behind a process file descriptor is the sensor, as far as that could be read. Where the holder or its descriptor is gone
/// nobody was reached; where nothing can be opened (`prlimit`) it may be the sensor.
fn is_own_behind(process: io::Result<Option<u32>>) -> bool {
    match process {
        Ok(process) => process == Some(std::process::id()),
        Err(why) => {
            let why = Errno::from_io_error(&why);
            matches!(why, Some(Errno::MFILE | Errno::NFILE | Errno::NOMEM))
        }
    }
}

/// The process behind a process file descriptor; nothing where none is.
fn process_behind(holder: u32, descriptor: u32) -> io::Result<Option<u32>> {
    let facts = fs::read_to_string(format!("/proc/{holder}/fdinfo/{descriptor}"))?;
    let line = facts.lines().find_map(|line| line.strip_prefix("Pid:"));
    Ok(line.and_then(|pid| pid.trim().parse().ok()))
}

/// What was seen beside the probe's first hook was seen by the exit of a call.
fn hook_of(what: &str, outcome: Outcome, first: String) -> String {
    let call = match (what, outcome) {
        ("signal", Outcome::Denied) => "kill",
        ("bpf", _) => "bpf",
        ("mount_over", _) => "mount",
        ("limit", _) => "prlimit64",
        ("scheduling", _) => "sched_setscheduler",
        ("oom_score", _) => return "tp_btf/oom_score_adj_update".to_owned(),
        ("cgroup", _) => return "tp_btf/cgroup_attach_task".to_owned(),
        (SETTING, _) => return "cgroup/sysctl".to_owned(),
        ("freeze", _) => return "tp_btf/cgroup_freeze".to_owned(),
        _ => return first,
    };
    format!("tracepoint/syscalls/sys_exit_{call}")
}

/// Commands of bpf(2), of those that the kernel half reports.
fn command_word(command: u32) -> &'static str {
    match command {
        2 => "MAP_UPDATE_ELEM",
        3 => "MAP_DELETE_ELEM",
        13 => "PROG_GET_FD_BY_ID",
        14 => "MAP_GET_FD_BY_ID",
        21 => "MAP_LOOKUP_AND_DELETE_ELEM",
        22 => "MAP_FREEZE",
        25 => "MAP_LOOKUP_AND_DELETE_BATCH",
        26 => "MAP_UPDATE_BATCH",
        27 => "MAP_DELETE_BATCH",
        29 => "LINK_UPDATE",
        30 => "LINK_GET_FD_BY_ID",
        34 => "LINK_DETACH",
        _ => "a command",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_threads_and_descriptors_are_known() {
        let own = std::process::id();
        assert!(is_own_thread(own));
        assert!(!is_own_thread(0));
        let pid = rustix::process::getpid();
        let descriptor =
            rustix::process::pidfd_open(pid, rustix::process::PidfdFlags::empty()).expect("its own");
        use std::os::fd::AsRawFd as _;
        let number = u32::try_from(descriptor.as_raw_fd()).expect("open");
        assert_eq!(process_behind(own, number).expect("there"), Some(own));
        assert!(is_own_behind(process_behind(own, number)));
        assert_eq!(
            process_behind(own, 0).expect("there"),
            None,
            "no process is behind standard input"
        );
        assert!(!is_own_behind(process_behind(own, u32::MAX)), "it is not there");
        assert!(is_own_behind(Err(Errno::MFILE.into())), "nobody can tell");
    }

    #[test]
    fn each_way_has_its_hook() {
        let hook = |what, outcome| hook_of(what, outcome, "tp_btf/signal_generate".to_owned());
        assert_eq!(hook("signal", Outcome::Succeeded), "tp_btf/signal_generate");
        assert_eq!(
            hook("signal", Outcome::Denied),
            "tracepoint/syscalls/sys_exit_kill"
        );
        assert_eq!(hook("bpf", Outcome::Denied), "tracepoint/syscalls/sys_exit_bpf");
    }
}
