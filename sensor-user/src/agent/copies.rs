//! Files that processes may have copied a credential to, until it is known whether they did. Pure: files are looked at elsewhere, and the time is
//! handed in.
//!
//! A file is looked at again and again while its writer lives, at growing intervals, and at once when the writer has ended. At most
//! [`WAITING_MAX`] wait; one that finds no room is not looked at, which is counted as lost.

use std::{
    collections::VecDeque,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use claviger_proto::catalogue::Entry;
use claviger_sensor_common::ObjectKey;

use crate::decode::ProcessKey;

/// Files that wait to be looked at.
pub(super) const WAITING_MAX: usize = 1_024;

/// Between being told of a file and looking at it; the last is longer than the kernel half keeps silent about it.
const LOOKS: [Duration; 4] = [
    Duration::from_millis(20),
    Duration::from_millis(100),
    Duration::from_secs(1),
    Duration::from_secs(12),
];

/// A file that may be a copy.
#[derive(Clone, Debug)]
pub(super) struct Suspect {
    /// Who writes it.
    pub writer: ProcessKey,
    /// The file.
    pub object: ObjectKey,
    /// Roots, and paths below them, that may lead to it.
    pub paths: Vec<(PathBuf, PathBuf)>,
    /// What its writer has read.
    pub originals: Vec<(ObjectKey, Arc<Entry>)>,
}

#[derive(Debug)]
struct Waiting {
    suspect: Suspect,
    told: Instant,
    /// How often it was looked at.
    looks: usize,
    /// Nothing more is written to it by its writer.
    is_ended: bool,
}

impl Waiting {
    fn due(&self) -> Instant {
        if self.is_ended {
            return self.told;
        }
        self.told + LOOKS.get(self.looks).copied().unwrap_or_default()
    }
}

/// All that wait.
#[derive(Debug, Default)]
pub(super) struct Suspects {
    waiting: VecDeque<Waiting>,
}

impl Suspects {
    /// How many wait.
    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Takes up a file; false where there is no room.
    pub(super) fn take(&mut self, suspect: Suspect, now: Instant) -> bool {
        let is_same =
            |one: &Waiting| one.suspect.object == suspect.object && one.suspect.writer == suspect.writer;
        self.waiting.retain(|one| !is_same(one));
        if self.waiting.len() >= WAITING_MAX {
            return false;
        }
        self.waiting.push_back(Waiting {
            suspect,
            told: now,
            looks: 0,
            is_ended: false,
        });
        true
    }

    /// A process ended: what it wrote is looked at now, for the last time.
    pub(super) fn ended(&mut self, writer: ProcessKey) {
        for waiting in self.waiting.iter_mut().filter(|one| one.suspect.writer == writer) {
            waiting.is_ended = true;
        }
    }

    /// When the next is to be looked at.
    pub(super) fn due(&self) -> Option<Instant> {
        self.waiting.iter().map(Waiting::due).min()
    }

    /// One that is to be looked at now; it waits for its next look, if there is one, unless it is let go by [`Suspects::forget`].
    pub(super) fn ripe(&mut self, now: Instant) -> Option<Suspect> {
        let at = self.waiting.iter().position(|one| one.due() <= now)?;
        let waiting = self.waiting.get_mut(at)?;
        waiting.looks += 1;
        let suspect = waiting.suspect.clone();
        if waiting.is_ended || waiting.looks == LOOKS.len() {
            self.waiting.remove(at);
        }
        Some(suspect)
    }

    /// It is known what it is.
    pub(super) fn forget(&mut self, object: ObjectKey) {
        self.waiting.retain(|one| one.suspect.object != object);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn suspect(pid: u32, inode: u64) -> Suspect {
        Suspect {
            writer: ProcessKey { pid, start_ticks: 1 },
            object: ObjectKey {
                inode,
                ..ObjectKey::default()
            },
            paths: Vec::new(),
            originals: Vec::new(),
        }
    }

    #[test]
    fn a_file_is_looked_at_at_growing_intervals_and_then_let_go() {
        let mut suspects = Suspects::default();
        let begun = Instant::now();
        assert!(suspects.take(suspect(1, 1), begun));
        for look in LOOKS {
            assert_eq!(suspects.due(), Some(begun + look));
            assert!(suspects.ripe(begun + look - Duration::from_millis(1)).is_none());
            assert!(suspects.ripe(begun + look).is_some());
        }
        assert_eq!(suspects.due(), None);
    }

    #[test]
    fn what_a_process_wrote_that_has_ended_is_looked_at_at_once_and_once() {
        let mut suspects = Suspects::default();
        let begun = Instant::now();
        assert!(suspects.take(suspect(1, 1), begun));
        assert!(suspects.take(suspect(2, 2), begun));
        suspects.ended(ProcessKey {
            pid: 1,
            start_ticks: 1,
        });
        assert_eq!(suspects.ripe(begun).expect("due").object.inode, 1);
        assert!(suspects.ripe(begun).is_none());
    }

    #[test]
    fn what_is_known_is_let_go_and_what_waits_is_bounded() {
        let mut suspects = Suspects::default();
        let begun = Instant::now();
        for inode in 0..WAITING_MAX as u64 {
            assert!(suspects.take(suspect(1, inode), begun));
        }
        assert!(suspects.take(suspect(1, 7), begun), "it waits already");
        assert!(!suspects.take(suspect(1, u64::MAX), begun));
        suspects.forget(suspect(1, 7).object);
        assert!(suspects.take(suspect(1, u64::MAX), begun));
    }
}
