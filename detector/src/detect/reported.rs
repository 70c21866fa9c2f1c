//! Which uses have been reported, so that the sensor's later counts of the same use give no further findings.

use std::collections::{HashSet, VecDeque};

use claviger_proto::program_path;
use claviger_proto::v1::{Credential, Event, Severity, Tamper};
use sha2::{Digest as _, Sha256};

/// How many uses are remembered, at 16 bytes twice each. Beyond it the oldest is forgotten and may be reported once more.
const MOST: usize = 65_536;

type Key = [u8; 16];

/// Uses that have their finding. A use is one process, one credential, one operation, one outcome; what is done to a sensor is one process, what
/// it did to what, one outcome.
#[derive(Debug, Default)]
pub(super) struct Reported {
    known: HashSet<Key>,
    oldest_first: VecDeque<Key>,
}

impl Reported {
    /// Whether the event is of a use that is new here; remembers it.
    pub(super) fn is_new(&mut self, event: &Event) -> bool {
        let of = match (&event.credential, &event.tamper) {
            (Some(credential), _) => Of::Credential(credential),
            (None, Some(tamper)) => Of::Tamper(tamper),
            (None, None) => return true,
        };
        key(event, &of).is_none_or(|key| self.remember(key))
    }

    /// The same where a process that says it is a sensor opens one credential after the other: one of each severity and outcome is new.
    pub(super) fn is_new_sensor(&mut self, event: &Event, severity: Severity) -> bool {
        key(event, &Of::Sensor(severity)).is_none_or(|key| self.remember(key))
    }

    fn remember(&mut self, key: Key) -> bool {
        if !self.known.insert(key) {
            return false;
        }
        self.oldest_first.push_back(key);
        if self.oldest_first.len() > MOST
            && let Some(oldest) = self.oldest_first.pop_front()
        {
            self.known.remove(&oldest);
        }
        true
    }
}

/// What is done to what.
enum Of<'a> {
    Credential(&'a Credential),
    Tamper(&'a Tamper),
    /// Credentials of one severity, whichever, opened by who says that it is a sensor.
    Sensor(Severity),
}

/// Nothing where the process is not known well enough to be told from another.
fn key(event: &Event, of: &Of<'_>) -> Option<Key> {
    let id = event.id.as_ref()?;
    let process = event.actor.as_ref()?.process.as_ref()?;
    let (sort, what, to, numbers, how) = match of {
        Of::Credential(it) => (
            0,
            it.kind.as_str(),
            it.path.as_str(),
            [it.device, it.inode],
            it.operation,
        ),
        Of::Tamper(it) => (1, it.what.as_str(), it.target.as_str(), [0; 2], 0),
        Of::Sensor(severity) => (2, "", "", [0; 2], i32::from(*severity)),
    };
    if process.start_time_ticks == 0 {
        return None;
    }
    let mut hash = Sha256::new();
    let program = program_path(process);
    for text in [&id.sensor_id, &id.boot_id, &process.exe_path, program, what, to] {
        hash.update(text.len().to_le_bytes());
        hash.update(text);
    }
    let numbers = [
        u64::from(process.pid),
        process.start_time_ticks,
        numbers[0],
        numbers[1],
    ];
    hash.update(numbers.map(u64::to_le_bytes).concat());
    hash.update([event.outcome, sort, how].map(i32::to_le_bytes).concat());
    let digest: [u8; 32] = hash.finalize().into();
    let (key, _) = digest.split_first_chunk::<16>()?;
    Some(*key)
}

#[cfg(test)]
mod tests {
    use claviger_proto::v1::{Actor, Credential, EventId, Process};

    use super::*;

    fn event(pid: u32) -> Event {
        let process = Process {
            pid,
            start_time_ticks: 7,
            ..Process::default()
        };
        Event {
            id: Some(EventId {
                sensor_id: "s".into(),
                boot_id: "b".into(),
                sequence: 1,
            }),
            actor: Some(
                Actor {
                    process: Some(process),
                    ..Actor::default()
                }
                .into(),
            ),
            credential: Some(Credential::default()),
            ..Event::default()
        }
    }

    #[test]
    fn a_use_is_new_once_and_again_after_too_many_others() {
        let mut reported = Reported::default();
        assert!(reported.is_new(&event(0)));
        assert!(!reported.is_new(&event(0)));
        let mut other = event(0);
        other.outcome = 2;
        assert!(reported.is_new(&other), "another outcome is another use");
        for pid in 1..=u32::try_from(MOST).expect("small") {
            assert!(reported.is_new(&event(pid)));
        }
        assert_eq!(reported.known.len(), MOST);
        assert!(reported.is_new(&event(0)));
    }

    #[test]
    fn processes_that_cannot_be_told_apart_are_never_merged() {
        let mut nameless = event(1);
        nameless.actor = None;
        let mut reported = Reported::default();
        assert!(reported.is_new(&nameless) && reported.is_new(&nameless));
    }
}
