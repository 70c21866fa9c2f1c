//! Processes that another one traces, or has written into: what they do is no more what their program does.
//!
//! - It counts for as long as the process lives, whatever program it runs then: who traces it is there still, or has had it do what it likes.
//! - The sensor tells of it before what the process does next, so no finding is taken back.

use std::collections::{HashMap, VecDeque};

use claviger_proto::program_words;
use claviger_proto::v1::{Event, EventId, Operation, Outcome, Process};

/// How many processes are remembered. Beyond it the oldest is forgotten, and believed again.
const MOST: usize = 16_384;

/// Sensor, boot, process id and time of its start in ticks.
type Key = (String, String, u32, u64);

/// What is known of them.
#[derive(Debug, Default)]
pub(super) struct Meddled {
    by: HashMap<Key, String>,
    oldest_first: VecDeque<Key>,
}

impl Meddled {
    /// Remembers it, where an event tells that a process got into another.
    pub(super) fn saw(&mut self, event: &Event) {
        let Some(secret) = &event.process_secret else {
            return;
        };
        let gets_in = match secret.part.as_str() {
            "ptrace" | "ptrace_traceme" | "ptrace_from_start" | "process_vm_writev" => true,
            "mem" => matches!(secret.operation(), Operation::Write | Operation::ReadWrite),
            _ => false,
        };
        if !gets_in || event.outcome() == Outcome::Denied {
            return;
        }
        let id = event.id.as_ref();
        let target = secret.target.as_ref();
        let Some(key) = id.zip(target).and_then(|(id, target)| key(id, target)) else {
            return;
        };
        let by = event.actor.as_ref().and_then(|actor| actor.process.as_ref());
        let by = by.map_or_else(
            || "an unknown process".to_owned(),
            |process| format!("{} (pid {})", program_words(process), process.pid),
        );
        if self.by.insert(key.clone(), by).is_some() {
            return;
        }
        self.oldest_first.push_back(key);
        if self.oldest_first.len() > MOST
            && let Some(oldest) = self.oldest_first.pop_front()
        {
            self.by.remove(&oldest);
        }
    }

    /// Who got into the process of an event; nothing where nobody is known to have.
    pub(super) fn by(&self, event: &Event) -> Option<&str> {
        // As a rule, and asked for every use.
        if self.by.is_empty() {
            return None;
        }
        let process = event.actor.as_ref()?.process.as_ref()?;
        self.by
            .get(&key(event.id.as_ref()?, process)?)
            .map(String::as_str)
    }
}

/// Nothing where the process is not known well enough to be told from another.
fn key(id: &EventId, process: &Process) -> Option<Key> {
    (process.start_time_ticks != 0).then(|| {
        (
            id.sensor_id.clone(),
            id.boot_id.clone(),
            process.pid,
            process.start_time_ticks,
        )
    })
}

#[cfg(test)]
mod tests {
    use claviger_proto::v1::{Actor, ProcessSecret};

    use super::*;

    fn process(pid: u32) -> Process {
        Process {
            pid,
            start_time_ticks: 7,
            exe_path: "/tmp/inject".into(),
            ..Process::default()
        }
    }

    fn event(by: u32, into: Option<(u32, &str, Operation)>) -> Event {
        Event {
            id: Some(EventId {
                sensor_id: "s".into(),
                boot_id: "b".into(),
                sequence: 1,
            }),
            outcome: Outcome::Succeeded.into(),
            actor: Some(
                Actor {
                    process: Some(process(by)),
                    ..Actor::default()
                }
                .into(),
            ),
            process_secret: into.map(|(pid, part, operation)| {
                Box::new(ProcessSecret {
                    target: Some(process(pid)),
                    part: part.into(),
                    operation: operation.into(),
                    ..ProcessSecret::default()
                })
            }),
            ..Event::default()
        }
    }

    #[test]
    fn who_gets_into_a_process_is_known_and_who_only_reads_it_does_not() {
        let mut meddled = Meddled::default();
        let none = Operation::Unspecified;
        let into = [
            (1, "ptrace", none, true),
            (2, "ptrace_traceme", none, true),
            (3, "ptrace_from_start", none, true),
            (4, "process_vm_writev", none, true),
            (5, "mem", Operation::ReadWrite, true),
            (6, "mem", Operation::Read, false),
            (7, "environ", Operation::Read, false),
            (8, "process_vm_readv", none, false),
        ];
        for (pid, part, operation, _) in into {
            meddled.saw(&event(99, Some((pid, part, operation))));
        }
        let mut refused = event(99, Some((9, "ptrace", none)));
        refused.outcome = Outcome::Denied.into();
        meddled.saw(&refused);
        assert_eq!(meddled.by(&event(9, None)), None);
        for (pid, part, _, gets_in) in into {
            assert_eq!(
                meddled.by(&event(pid, None)),
                gets_in.then_some("/tmp/inject (pid 99)"),
                "{part}"
            );
        }
        let mut elsewhere = event(1, None);
        elsewhere.id.as_mut().expect("set").sensor_id = "other".into();
        assert_eq!(meddled.by(&elsewhere), None);
    }

    #[test]
    fn only_so_many_are_remembered() {
        let mut meddled = Meddled::default();
        for pid in 1..=u32::try_from(MOST + 1).expect("small") {
            meddled.saw(&event(99, Some((pid, "ptrace", Operation::Unspecified))));
        }
        assert_eq!(meddled.by.len(), MOST);
        assert_eq!(meddled.by(&event(1, None)), None);
        assert!(meddled.by(&event(2, None)).is_some());
    }
}
