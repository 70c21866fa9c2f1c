//! Reaching for other processes, and for the memory or the files of all.

use std::{
    collections::VecDeque,
    ffi::OsStr,
    os::unix::{
        ffi::OsStrExt as _,
        fs::{FileTypeExt as _, MetadataExt as _},
    },
};

use claviger_proto::{
    Shared,
    v1::{Operation, ProcessSecret as Part},
};
use claviger_sensor_common::RepeatKey;

use super::{
    changes::outcome as outcome_of,
    tampering::{Seen, is_own_thread},
    uses::was_under_way,
    *,
};
use crate::{
    agent::{events::operation, repeats::First},
    attribute::{is_own_pid_namespace, part_of, process_in_namespace, process_of_thread},
    decode::{Access, Attempt, Came, End, ProcessSecret, SecretPart, Target},
};

impl<S: Sink> Agent<S> {
    pub(super) fn reached(&mut self, secret: ProcessSecret) {
        if matches!(secret.came, Came::Found { .. }) {
            return self.held_secret(secret);
        }
        self.told_as_done(&secret.key);
        let first = self.tell_secret(&secret, None);
        if !secret.part.repeats() {
            return;
        }
        self.repeats.keep(
            secret.key,
            secret.task.process,
            match first {
                Ok(()) => First::Secret(Box::new(secret)),
                Err(_) => First::Dropped,
            },
        );
    }

    /// Tells an attempt, of which only the path is known, where it was to reach for a process or for all. Returns whether it was.
    pub(super) fn attempted_reach(&mut self, attempt: &Attempt) -> bool {
        let Some((part, target)) = reach_by_path(&attempt.path.bytes) else {
            return false;
        };
        self.tell_reach_by_path(attempt, part, target);
        true
    }

    /// Tells an attempt that was to reach for this, by where its path leads, unless it was told by what it opened.
    pub(super) fn tell_reach_by_path(&mut self, attempt: &Attempt, part: SecretPart, target: Target) {
        let outcome = outcome_of(attempt.end);
        let secret = ProcessSecret {
            time_boot_ns: attempt.time_boot_ns,
            task: attempt.task.clone(),
            target,
            key: RepeatKey::default(),
            part,
            errno: outcome.1,
            access: attempt.access,
            came: Came::Opened,
        };
        if attempt.end == End::Unknown && self.repeats.has_told(&secret) {
            self.accounts.received += 1;
            return self.accounts.drop_record(Dropped::ToldByObject);
        }
        // What is nothing to tell is counted there.
        let _told = self.tell_reach(&secret, outcome, None);
    }

    /// Tells one that was found open, unless it was told by its path. It is told once, and its key kept until the process has ended.
    pub(super) fn tell_held_secret(&mut self, secret: &ProcessSecret) {
        if self.reached_by_path.take(secret) {
            self.accounts.received += 1;
            self.accounts.drop_record(Dropped::ToldByPath);
        } else {
            // What is nothing to tell is counted there.
            let _told = self.tell_secret(secret, None);
        }
        self.repeats.keep(secret.key, secret.task.process, First::Dropped);
    }

    /// Tells what the kernel half saw to its end, or why it is nothing to tell. With `repeats`, so many repeats of it, now.
    pub(super) fn tell_secret(
        &mut self,
        secret: &ProcessSecret,
        repeats: Option<u64>,
    ) -> Result<(), NotTold> {
        let outcome = match secret.errno {
            0 => (Outcome::Succeeded, 0),
            errno => (Outcome::Denied, errno),
        };
        self.tell_reach(secret, outcome, repeats)
    }

    fn tell_reach(
        &mut self,
        secret: &ProcessSecret,
        outcome: (Outcome, u32),
        repeats: Option<u64>,
    ) -> Result<(), NotTold> {
        self.accounts.received += 1;
        if self.is_attack(secret) {
            self.tell_reach_for_own(secret, outcome, repeats);
            return Ok(());
        }
        let mut part = Part {
            part: word(secret.part).to_owned(),
            operation: operation_of(secret).into(),
            ..Part::default()
        };
        let mut whose = None;
        match secret.part {
            SecretPart::BlockDevice(device) if !self.worker.is_mounted(device) => {
                return Err(self.drop_record(Dropped::NotMounted));
            }
            SecretPart::BlockDevice(device) | SecretPart::Subvolume(device) => part.block_device = device,
            SecretPart::KernelMemory | SecretPart::PhysicalMemory => {}
            _ => {
                let target = match secret.target {
                    Target::Process(process) => Ok(process),
                    Target::Given(pid) if is_own_pid_namespace(secret.task.pid_namespace) => {
                        let known = self.facts.processes.with_pid(pid);
                        // Any thread of a process stands for it.
                        known.or_else(|| process_of_thread(pid)).ok_or("it is not known")
                    }
                    Target::Given(pid) => process_in_namespace(secret.task.pid_namespace, pid)
                        .ok_or("it was gone before it was looked for"),
                    Target::Unnamed => Err("it had ended"),
                };
                match target {
                    Ok(process) if process == secret.task.process => {
                        return Err(self.drop_record(Dropped::OwnProcess));
                    }
                    Ok(process) => {
                        whose = Some(process);
                        part.target = Some(self.facts.process_of(process, ""));
                    }
                    Err(reason) => part.unknown_reason = reason.to_owned(),
                }
            }
        }
        if is_by_path(secret) && outcome.0 != Outcome::Denied {
            self.reached_by_path.told(secret.task.process, secret.part, whose);
        }
        let observation = self.observation_of(secret);
        let mut event = self
            .facts
            .used(EventKind::ProcessSecretAccess, &secret.task, outcome, observation);
        at(&mut event, secret.time_boot_ns, repeats);
        if let Came::Found {
            pre_existing,
            since_boot_ns,
        } = secret.came
        {
            was_under_way(&mut event, pre_existing, since_boot_ns);
        }
        event.process_secret = Some(Box::new(part));
        self.push(event, None);
        Ok(())
    }

    fn observation_of(&mut self, secret: &ProcessSecret) -> Shared<Observation> {
        let mut observation = self.observation(Probe::ProcessSecret);
        let other = match (secret.part, secret.came) {
            (SecretPart::TracedFromStart, _) => Probe::ProcessFork,
            (part, _) if is_call(part) => return observation,
            (_, Came::Opened) => Probe::FileOpen,
            (_, Came::Inherited) => Probe::FileInherited,
            (_, Came::Received) => Probe::FileReceived,
            (_, Came::Found { .. }) => Probe::OpenDescriptors,
        };
        let hook = self.observation(other).hook.clone();
        observation.to_mut().hook = hook;
        observation
    }

    /// Whether the sensor itself was reached for in a way by which it can be changed, or made to do what another wants. What only reads of it is
    /// told as of any process.
    fn is_attack(&self, secret: &ProcessSecret) -> bool {
        let changes = match secret.part {
            SecretPart::Ptrace | SecretPart::VmWrite | SecretPart::Descriptor | SecretPart::Advice => true,
            SecretPart::Mem => matches!(secret.access, Access::Write | Access::ReadWrite),
            _ => false,
        };
        let is_own = match secret.target {
            Target::Process(process) => process.pid == std::process::id(),
            Target::Given(id) => is_own_pid_namespace(secret.task.pid_namespace) && is_own_thread(id),
            Target::Unnamed => false,
        };
        changes && is_own && secret.task.process.pid != std::process::id()
    }

    fn tell_reach_for_own(&mut self, secret: &ProcessSecret, outcome: (Outcome, u32), repeats: Option<u64>) {
        let observation = self.observation_of(secret);
        let seen = Seen {
            observation,
            time_boot_ns: secret.time_boot_ns,
            repeats,
        };
        let target = word(secret.part).to_owned();
        self.push_tamper(&secret.task, "process", target, outcome, seen);
    }
}

/// Whether no more was seen of it than a path, under which nothing is counted.
fn is_by_path(secret: &ProcessSecret) -> bool {
    secret.key == RepeatKey::default()
}

/// What was done to reach for it: what it was opened for, or how a descriptor of it came.
fn operation_of(secret: &ProcessSecret) -> Operation {
    match secret.came {
        // How the process came to it is not known of what is found.
        Came::Opened | Came::Found { .. } => operation(secret.access),
        Came::Inherited => Operation::Inherit,
        Came::Received => Operation::Receive,
    }
}

/// Of those of which only a path was seen, so many of the last are remembered. At the bound the oldest is forgotten: its descriptor, when it is found, is then
/// told once more.
pub(in crate::agent) const REACHED_BY_PATH_MAX: usize = 256;

/// What was reached for by a path, and whose it is.
#[derive(Default)]
pub(super) struct ReachedByPath {
    told: VecDeque<(ProcessKey, SecretPart, Option<ProcessKey>)>,
}

impl ReachedByPath {
    fn told(&mut self, process: ProcessKey, part: SecretPart, whose: Option<ProcessKey>) {
        if self.told.len() >= REACHED_BY_PATH_MAX {
            self.told.pop_front();
        }
        self.told.push_back((process, part, whose));
    }

    /// Whether what is found open was told so, which is then over.
    fn take(&mut self, found: &ProcessSecret) -> bool {
        let whose = match found.target {
            Target::Process(process) => Some(process),
            Target::Given(_) | Target::Unnamed => None,
        };
        let told = (found.task.process, found.part, whose);
        let place = self.told.iter().position(|one| *one == told);
        place.and_then(|place| self.told.remove(place)).is_some()
    }
}

/// What a path leads to, for a refused attempt has no object to ask.
fn reach_by_path(path: &[u8]) -> Option<(SecretPart, Target)> {
    match path {
        b"/proc/kcore" => return Some((SecretPart::KernelMemory, Target::Unnamed)),
        b"/dev/mem" => return Some((SecretPart::PhysicalMemory, Target::Unnamed)),
        _ => {}
    }
    if path.starts_with(b"/dev/") {
        let device = std::fs::symlink_metadata(OsStr::from_bytes(path)).ok()?;
        let found = (SecretPart::BlockDevice(device.rdev()), Target::Unnamed);
        return device.file_type().is_block_device().then_some(found);
    }
    let mut parts = std::str::from_utf8(path.strip_prefix(b"/proc/")?)
        .ok()?
        .split('/');
    let pid = parts.next()?.parse().ok()?;
    let rest = (parts.next()?, parts.next(), parts.next(), parts.next());
    let (("task", Some(_), Some(file), None) | (file, None, None, None)) = rest else {
        return None;
    };
    Some((part_of(file)?, Target::Given(pid)))
}

/// Whether it was reached for by a system call of its own, and not by opening a file.
fn is_call(part: SecretPart) -> bool {
    matches!(
        part,
        SecretPart::Ptrace
            | SecretPart::TraceMe
            | SecretPart::TracedFromStart
            | SecretPart::VmRead
            | SecretPart::VmWrite
            | SecretPart::Descriptor
            | SecretPart::Advice
            | SecretPart::Subvolume(_)
    )
}

fn word(part: SecretPart) -> &'static str {
    match part {
        SecretPart::Environ => "environ",
        SecretPart::Mem => "mem",
        SecretPart::Maps => "maps",
        SecretPart::Ptrace => "ptrace",
        SecretPart::TraceMe => "ptrace_traceme",
        SecretPart::TracedFromStart => "ptrace_from_start",
        SecretPart::VmRead => "process_vm_readv",
        SecretPart::VmWrite => "process_vm_writev",
        SecretPart::Descriptor => "fd",
        SecretPart::Advice => "process_madvise",
        SecretPart::KernelMemory => "kcore",
        SecretPart::PhysicalMemory => "dev_mem",
        SecretPart::BlockDevice(_) => "block_device",
        SecretPart::Subvolume(_) => "subvolume",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_reach_is_known_by_its_path() {
        let given = |part| Some((part, Target::Given(42)));
        assert_eq!(reach_by_path(b"/proc/42/environ"), given(SecretPart::Environ));
        assert_eq!(reach_by_path(b"/proc/42/task/43/mem"), given(SecretPart::Mem));
        assert_eq!(
            reach_by_path(b"/proc/kcore"),
            Some((SecretPart::KernelMemory, Target::Unnamed))
        );
        for other in [
            "/proc/42/task/43/net/maps",
            "/proc/42/status",
            "/proc/self/mem",
            "/proc/42",
            "/dev/null",
            "/home/42/environ",
        ] {
            assert_eq!(reach_by_path(other.as_bytes()), None, "{other}");
        }
    }

    fn found(pid: u32) -> ProcessSecret {
        use claviger_sensor_common::{OPERATION_REACH, PART_MEM, ProcessSecretRecord, RECORD_PROCESS_SECRET};
        use zerocopy::{FromZeros as _, IntoBytes as _};
        let mut record = ProcessSecretRecord::new_zeroed();
        record.header.kind = RECORD_PROCESS_SECRET;
        record.key.operation = OPERATION_REACH + PART_MEM;
        record.task.pid = pid;
        record.target.pid = 7;
        let Ok(Record::ProcessSecret(secret)) = decode(record.as_bytes()) else {
            panic!("a record of a part of a process");
        };
        *secret
    }

    #[test]
    fn what_was_told_by_its_path_is_found_once_and_bounded() {
        let mut reached = ReachedByPath::default();
        let whose = Some(ProcessKey {
            pid: 7,
            start_ticks: 0,
        });
        for pid in 0..=u32::try_from(REACHED_BY_PATH_MAX).expect("small") {
            reached.told(found(pid).task.process, SecretPart::Mem, whose);
        }
        assert_eq!(reached.told.len(), REACHED_BY_PATH_MAX);
        assert!(!reached.take(&found(0)), "the oldest went");
        assert!(reached.take(&found(1)));
        assert!(!reached.take(&found(1)), "it is over");
        assert!(
            !reached.take(&ProcessSecret {
                part: SecretPart::Environ,
                ..found(2)
            }),
            "another part"
        );
    }
}
