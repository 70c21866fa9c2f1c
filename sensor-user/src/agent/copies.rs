//! Files that processes may have copied a credential to, until it is known whether they did. Pure: files are looked at elsewhere, and the time is
//! handed in.
//!
//! A file is looked at again and again while a writer of it lives, at growing intervals; at once when a writer has ended; and from the
//! beginning when a writer has read another credential. At most [`WAITING_MAX`] wait; one that finds no room is not looked at, which is counted as lost.
//! One that lies at no path (in memory, unnamed, deleted, too deep) is held while it waits, so that it can be looked at when its writer has ended; of
//! these at most [`HELD_MAX`] wait, for the system cannot free them meanwhile.
//!
//! One that was looked at often enough lingers for as long as a writer of it lives, and is looked at each [`LINGERING`] and when that one has ended: a writer may take
//! its time. It takes room that nobody else needs: where all is full, the one that has lingered longest is let go. None is held meanwhile.

use std::{
    collections::{BTreeSet, HashMap},
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use claviger_sensor_common::ObjectKey;

use super::seen_from::SeenFrom;
use crate::{credential::Held, decode::ProcessKey};

/// Files that wait to be looked at.
pub(super) const WAITING_MAX: usize = 1_024;

/// Files held that wait to be looked at.
pub(super) const HELD_MAX: usize = 64;

/// Writers that are known of a file, as of a log that many programs write: the end of a further one is not waited for.
const WRITERS_MAX: usize = 16;

/// Between being told of a file and looking at it; the last is longer than the kernel half keeps silent about it.
const LOOKS: [Duration; 4] = [
    Duration::from_millis(20),
    Duration::from_millis(100),
    Duration::from_secs(1),
    Duration::from_secs(12),
];

/// When a file is looked at for the last time, but where it lingers.
pub(super) const LAST_LOOK: Duration = LOOKS[LOOKS.len() - 1];

/// Between looks at one that lingers.
const LINGERING: Duration = Duration::from_secs(60);

/// A file that may be a copy.
#[derive(Clone, Debug)]
pub(super) struct Suspect {
    /// The file.
    pub object: ObjectKey,
    /// By what it can be reached.
    pub at: Reach,
}

/// By what a file can be reached.
#[derive(Clone, Debug)]
pub(super) enum Reach {
    /// Paths, and from where they are seen, that may lead to it.
    Paths(Vec<(SeenFrom, PathBuf)>),
    /// It itself, and how it is called.
    Held(Arc<Held>, PathBuf),
    /// Its number alone, and how it is called.
    Number(PathBuf),
}

#[derive(Debug)]
struct Waiting {
    at: Reach,
    writers: Vec<ProcessKey>,
    told: Instant,
    /// How often it was looked at since.
    looks: usize,
    due: Instant,
    /// Since when it lingers.
    lingers: Option<Instant>,
}

impl Waiting {
    fn begin_anew(&mut self, now: Instant) {
        self.told = now;
        self.looks = 0;
        self.due = now + LOOKS[0];
        self.lingers = None;
    }
}

/// All that wait.
#[derive(Debug, Default)]
pub(super) struct Suspects {
    waiting: HashMap<ObjectKey, Waiting>,
    by_time: BTreeSet<(Instant, ObjectKey)>,
    /// Those that linger, by since when.
    lingering: BTreeSet<(Instant, ObjectKey)>,
    of: HashMap<ProcessKey, Vec<ObjectKey>>,
}

impl Suspects {
    /// How many wait, without those that linger.
    pub(super) fn len(&self) -> usize {
        self.waiting.len() - self.lingering.len()
    }

    /// Takes up a file; false where there is no room.
    pub(super) fn take(&mut self, writer: ProcessKey, suspect: Suspect, now: Instant) -> bool {
        let object = suspect.object;
        if self.waiting.len() >= WAITING_MAX && !self.waiting.contains_key(&object) {
            let Some((_, longest)) = self.lingering.first().copied() else {
                return false;
            };
            self.forget(longest);
        }
        let is_held = |at: &Reach| matches!(at, Reach::Held(..));
        let others = self
            .waiting
            .iter()
            .filter(|(other, one)| **other != object && is_held(&one.at));
        if is_held(&suspect.at) && others.count() >= HELD_MAX {
            return false;
        }
        let waiting = self.waiting.entry(object).or_insert_with(|| Waiting {
            at: Reach::Paths(Vec::new()),
            writers: Vec::new(),
            told: now,
            looks: 0,
            due: now,
            lingers: None,
        });
        self.by_time.remove(&(waiting.due, object));
        if let Some(since) = waiting.lingers {
            self.lingering.remove(&(since, object));
        }
        waiting.begin_anew(now);
        waiting.at = suspect.at;
        if waiting.writers.len() < WRITERS_MAX && !waiting.writers.contains(&writer) {
            waiting.writers.push(writer);
            self.of.entry(writer).or_default().push(object);
        }
        self.by_time.insert((waiting.due, object));
        true
    }

    /// A process has read another credential: what it wrote, or has open still, may take that up too.
    pub(super) fn has_read_more(&mut self, writer: ProcessKey, now: Instant) {
        for object in self.of.get(&writer).into_iter().flatten() {
            if let Some(waiting) = self.waiting.get_mut(object) {
                self.by_time.remove(&(waiting.due, *object));
                if let Some(since) = waiting.lingers {
                    self.lingering.remove(&(since, *object));
                }
                waiting.begin_anew(now);
                self.by_time.insert((waiting.due, *object));
            }
        }
    }

    /// A process ended: what it wrote is looked at now, for the last time where nobody else writes it.
    pub(super) fn ended(&mut self, writer: ProcessKey, now: Instant) {
        for object in self.of.remove(&writer).unwrap_or_default() {
            if let Some(waiting) = self.waiting.get_mut(&object) {
                waiting.writers.retain(|one| *one != writer);
                if waiting.writers.is_empty() {
                    waiting.looks = waiting.looks.max(LOOKS.len() - 1);
                }
                self.by_time.remove(&(waiting.due, object));
                waiting.due = now;
                self.by_time.insert((now, object));
            }
        }
    }

    /// When the next is to be looked at.
    pub(super) fn due(&self) -> Option<Instant> {
        self.by_time.first().map(|(due, _)| *due)
    }

    /// One that is to be looked at now; it waits for its next look, if there is one, unless it is let go by [`Suspects::forget`].
    pub(super) fn ripe(&mut self, now: Instant) -> Option<Suspect> {
        let (due, object) = *self.by_time.first()?;
        if due > now {
            return None;
        }
        self.by_time.remove(&(due, object));
        let waiting = self.waiting.get_mut(&object)?;
        waiting.looks += 1;
        let at = waiting.at.clone();
        let next = match LOOKS.get(waiting.looks) {
            Some(after) => (waiting.told + *after).max(now),
            None if waiting.writers.is_empty() => {
                self.take_out(object);
                return Some(Suspect { object, at });
            }
            None => {
                if waiting.lingers.is_none() {
                    waiting.lingers = Some(now);
                    self.lingering.insert((now, object));
                    if let Reach::Held(_, called) = &waiting.at {
                        waiting.at = Reach::Number(called.clone());
                    }
                }
                now + LINGERING
            }
        };
        waiting.due = next;
        self.by_time.insert((next, object));
        Some(Suspect { object, at })
    }

    /// It is known what it is.
    pub(super) fn forget(&mut self, object: ObjectKey) {
        if let Some(waiting) = self.take_out(object) {
            self.by_time.remove(&(waiting.due, object));
        }
    }

    fn take_out(&mut self, object: ObjectKey) -> Option<Waiting> {
        let waiting = self.waiting.remove(&object)?;
        if let Some(since) = waiting.lingers {
            self.lingering.remove(&(since, object));
        }
        for writer in &waiting.writers {
            if let Some(objects) = self.of.get_mut(writer) {
                objects.retain(|one| *one != object);
                if objects.is_empty() {
                    self.of.remove(writer);
                }
            }
        }
        Some(waiting)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: ProcessKey = ProcessKey {
        pid: 1,
        start_ticks: 1,
    };
    const TWO: ProcessKey = ProcessKey {
        pid: 2,
        start_ticks: 1,
    };

    fn suspect(inode: u64) -> Suspect {
        Suspect {
            object: ObjectKey {
                inode,
                ..ObjectKey::default()
            },
            at: Reach::Paths(Vec::new()),
        }
    }

    fn nothing_is_left(suspects: &Suspects) -> bool {
        suspects.waiting.is_empty()
            && suspects.by_time.is_empty()
            && suspects.of.is_empty()
            && suspects.lingering.is_empty()
    }

    #[test]
    fn a_file_is_looked_at_at_growing_intervals_and_lingers_while_its_writer_lives() {
        let mut suspects = Suspects::default();
        let begun = Instant::now();
        assert!(suspects.take(ONE, suspect(1), begun));
        let last = begun + LOOKS[3];
        let lingering = [1, 2, 3].map(|times| LOOKS[3] + times * LINGERING);
        for look in LOOKS.into_iter().chain(lingering) {
            assert_eq!(suspects.due(), Some(begun + look));
            assert!(suspects.ripe(begun + look - Duration::from_millis(1)).is_none());
            assert!(suspects.ripe(begun + look).is_some());
        }
        assert_eq!(suspects.len(), 0, "none of those that count");
        let ended = last + 4 * LINGERING;
        suspects.ended(ONE, ended);
        assert!(suspects.ripe(ended).is_some());
        assert!(nothing_is_left(&suspects));
    }

    #[test]
    fn what_lingers_makes_room_and_is_not_held() {
        let mut suspects = Suspects::default();
        let begun = Instant::now();
        let held = Held::of(tempfile::tempfile().expect("made").into()).expect("a file");
        let at = Reach::Held(Arc::new(held), PathBuf::from("called"));
        assert!(suspects.take(ONE, Suspect { at, ..suspect(0) }, begun));
        let mut now = begun;
        for look in LOOKS {
            now = begun + look;
            assert!(matches!(suspects.ripe(now).expect("due").at, Reach::Held(..)));
        }
        now += LINGERING;
        assert!(matches!(suspects.ripe(now).expect("due").at, Reach::Number(_)));
        for inode in 1..=WAITING_MAX as u64 {
            assert!(suspects.take(ONE, suspect(inode), now));
        }
        assert!(!suspects.waiting.contains_key(&suspect(0).object));
        assert!(!suspects.take(ONE, suspect(u64::MAX), now), "none lingers");
        assert_eq!(suspects.len(), WAITING_MAX);
    }

    #[test]
    fn what_lingers_is_looked_at_anew_when_its_writer_has_read_more() {
        let mut suspects = Suspects::default();
        let begun = Instant::now();
        assert!(suspects.take(ONE, suspect(1), begun));
        let later = begun + LOOKS[3];
        while suspects.ripe(later).is_some() {}
        assert_eq!((suspects.len(), suspects.lingering.len()), (0, 1));
        suspects.has_read_more(ONE, later);
        assert_eq!((suspects.len(), suspects.lingering.len()), (1, 0));
        assert_eq!(suspects.due(), Some(later + LOOKS[0]));
        while suspects.ripe(later + LOOKS[3]).is_some() {}
        assert!(suspects.take(TWO, suspect(1), later + LOOKS[3]));
        assert_eq!((suspects.len(), suspects.lingering.len()), (1, 0));
    }

    #[test]
    fn what_a_process_wrote_that_has_ended_is_looked_at_at_once_and_once() {
        let mut suspects = Suspects::default();
        let begun = Instant::now();
        assert!(suspects.take(ONE, suspect(1), begun));
        assert!(suspects.take(TWO, suspect(2), begun));
        suspects.ended(ONE, begun);
        assert_eq!(suspects.ripe(begun).expect("due").object.inode, 1);
        assert!(suspects.ripe(begun).is_none());
        suspects.forget(suspect(2).object);
        assert!(nothing_is_left(&suspects));
    }

    #[test]
    fn what_another_writes_too_is_looked_at_for_longer() {
        let mut suspects = Suspects::default();
        let begun = Instant::now();
        assert!(suspects.take(ONE, suspect(1), begun));
        assert!(suspects.take(TWO, suspect(1), begun));
        suspects.ended(ONE, begun);
        assert!(suspects.ripe(begun).is_some());
        assert_eq!(suspects.due(), Some(begun + LOOKS[1]));
        suspects.ended(TWO, begun);
        assert!(suspects.ripe(begun).is_some());
        assert!(nothing_is_left(&suspects));
    }

    #[test]
    fn another_credential_read_makes_for_new_looks() {
        let mut suspects = Suspects::default();
        let begun = Instant::now();
        assert!(suspects.take(ONE, suspect(1), begun));
        let later = begun + LOOKS[2];
        while suspects.ripe(later).is_some() {}
        assert_eq!(suspects.due(), Some(begun + LOOKS[3]));
        suspects.has_read_more(TWO, later);
        assert_eq!(suspects.due(), Some(begun + LOOKS[3]), "another's");
        suspects.has_read_more(ONE, later);
        for look in LOOKS {
            assert_eq!(suspects.due(), Some(later + look));
            assert!(suspects.ripe(later + look).is_some());
        }
    }

    #[test]
    fn what_is_known_is_let_go_and_what_waits_is_bounded() {
        let mut suspects = Suspects::default();
        let begun = Instant::now();
        for inode in 0..WAITING_MAX as u64 {
            assert!(suspects.take(ONE, suspect(inode), begun));
        }
        assert!(suspects.take(ONE, suspect(7), begun), "it waits already");
        assert!(!suspects.take(ONE, suspect(u64::MAX), begun));
        suspects.forget(suspect(7).object);
        assert!(suspects.take(ONE, suspect(u64::MAX), begun));
        assert_eq!(suspects.by_time.len(), WAITING_MAX);
    }

    #[test]
    fn what_is_held_is_bounded() {
        let mut suspects = Suspects::default();
        let begun = Instant::now();
        let held = || {
            let held = Held::of(tempfile::tempfile().expect("made").into()).expect("a file");
            Reach::Held(Arc::new(held), PathBuf::new())
        };
        let held = |inode: usize| Suspect {
            at: held(),
            ..suspect(inode as u64)
        };
        for inode in 0..HELD_MAX {
            assert!(suspects.take(ONE, held(inode), begun));
        }
        assert!(!suspects.take(ONE, held(HELD_MAX), begun));
        assert!(suspects.take(ONE, held(7), begun), "it waits already");
        assert!(suspects.take(ONE, suspect(HELD_MAX as u64), begun), "by a path");
    }

    #[test]
    fn of_the_writers_of_one_file_some_are_known() {
        let mut suspects = Suspects::default();
        let begun = Instant::now();
        for pid in 0..=u32::try_from(WRITERS_MAX).expect("few") {
            let writer = ProcessKey { pid, start_ticks: 1 };
            assert!(suspects.take(writer, suspect(1), begun));
        }
        assert_eq!(suspects.of.len(), WRITERS_MAX);
        suspects.forget(suspect(1).object);
        assert!(nothing_is_left(&suspects));
    }
}
