//! Uses whose repeats the kernel half counts, as they were when they were first reported: a count alone would name nobody. No map, no clock:
//! counts are handed in.
//!
//! At the bound of the kernel's map no further use is counted; it then reports each by itself. What was kept of one that is not counted is let go
//! when its count was missed twice, for a use is counted a moment after it was reported; or when it was missed once and another needs its place. What is
//! counted and finds no room here is not known by its name: what it counts is told as lost when its process has ended, for nothing may be taken out of
//! the kernel's map while something can be added to it.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
};

use claviger_sensor_common::{REPEATS_MAX, RepeatKey};

use crate::decode::{
    AgentSocket, DirectoryList, FilePath, FileUse, KernelKey, ProcessKey, ProcessSecret, Tamper, Target, Task,
};

/// What was first reported under a key.
#[derive(Clone, Debug)]
pub(super) enum First {
    /// The use of a file.
    File(Box<FileUse>),
    /// Reaching for a process.
    Secret(Box<ProcessSecret>),
    /// The use of a key of the kernel's keyrings.
    Key(Box<KernelKey>),
    /// A connection to a socket of this host.
    Socket(Box<AgentSocket>),
    /// Something was done to the sensor.
    Tamper(Box<Tamper>),
    /// The listing of a directory.
    List(Box<DirectoryList>),
    /// What turned out to be no use.
    Dropped,
}

/// What is kept of one process.
#[derive(Debug, Default)]
struct OfProcess {
    keys: Vec<RepeatKey>,
    /// As it was at its last use of a file: the same at most of them, and kept once.
    task: Option<Arc<Task>>,
}

#[derive(Debug)]
struct Kept {
    first: First,
    /// Repeats that were told.
    told: u64,
    /// Whether it had no count when it was asked for last.
    missed: bool,
}

/// All that are counted.
#[derive(Debug, Default)]
pub(super) struct Repeats {
    kept: HashMap<RepeatKey, Kept>,
    of: HashMap<ProcessKey, OfProcess>,
    /// Those that had no count when they were asked for last, and some that had one since. As many as are kept, at most; the oldest goes first.
    missing: VecDeque<(RepeatKey, ProcessKey)>,
}

impl Repeats {
    /// Takes up what was reported under a key, if there is room. Reported twice (by two threads at once), it stays what it was.
    pub(super) fn keep(&mut self, key: RepeatKey, process: ProcessKey, mut first: First) {
        if self.kept.contains_key(&key) {
            return;
        }
        if self.kept.len() >= REPEATS_MAX as usize && !self.make_room() {
            return;
        }
        let of = self.of.entry(process).or_default();
        of.keys.push(key);
        if let First::File(file) = &mut first {
            match &of.task {
                Some(task) if *task == file.task => file.task = Arc::clone(task),
                _ => of.task = Some(Arc::clone(&file.task)),
            }
        }
        self.kept.insert(
            key,
            Kept {
                first,
                told: 0,
                missed: false,
            },
        );
    }

    /// Lets go of one that had no count when it was asked for last; false where there is none.
    fn make_room(&mut self) -> bool {
        while let Some((key, process)) = self.missing.pop_front() {
            if self.kept.get(&key).is_some_and(|kept| kept.missed) {
                self.drop_key(key, process);
                return true;
            }
        }
        false
    }

    fn drop_key(&mut self, key: RepeatKey, process: ProcessKey) {
        self.kept.remove(&key);
        if let Some(of) = self.of.get_mut(&process) {
            of.keys.retain(|one| *one != key);
            if of.keys.is_empty() {
                self.of.remove(&process);
            }
        }
    }

    /// How many keys are kept.
    pub(super) fn len(&self) -> usize {
        self.kept.len()
    }

    /// Whether a key is kept.
    pub(super) fn holds(&self, key: RepeatKey) -> bool {
        self.kept.contains_key(&key)
    }

    /// Whether a process was told to have reached for this, with the same right.
    pub(super) fn has_told(&self, secret: &ProcessSecret) -> bool {
        let keys = self.of.get(&secret.task.process).map(|of| of.keys.as_slice());
        keys.unwrap_or_default().iter().any(|key| {
            let Some(First::Secret(told)) = self.kept.get(key).map(|kept| &kept.first) else {
                return false;
            };
            let same_target = match (told.target, secret.target) {
                (Target::Process(told), Target::Given(pid)) => told.pid == pid,
                (told, asked) => told == asked,
            };
            (told.part, told.access, told.came) == (secret.part, secret.access, secret.came)
                && told.errno == secret.errno
                && told.task.exec_id == secret.task.exec_id
                && same_target
        })
    }

    /// What was first reported under a key, and how many repeats are to be told, where its count has grown. They are then told.
    pub(super) fn grown(&mut self, key: RepeatKey, count: u64) -> Option<(First, u64)> {
        let kept = self.kept.get_mut(&key)?;
        kept.missed = false;
        let more = count.checked_sub(kept.told).filter(|more| *more > 0)?;
        kept.told = count;
        Some((kept.first.clone(), more))
    }

    /// A key has no count in the kernel's map.
    pub(super) fn missed(&mut self, key: RepeatKey, process: ProcessKey) {
        let Some(kept) = self.kept.get_mut(&key) else {
            return;
        };
        if std::mem::replace(&mut kept.missed, true) {
            self.drop_key(key, process);
            return;
        }
        if self.missing.len() >= REPEATS_MAX as usize {
            self.missing.pop_front();
        }
        self.missing.push_back((key, process));
    }

    /// A process ended: its keys, which are kept until they are forgotten.
    pub(super) fn of(&self, process: ProcessKey) -> Vec<RepeatKey> {
        self.of
            .get(&process)
            .map(|of| of.keys.clone())
            .unwrap_or_default()
    }

    /// What is kept of a process, with the path of what is a use of a file.
    pub(super) fn with_paths(
        &self,
        process: ProcessKey,
    ) -> impl Iterator<Item = (RepeatKey, Option<&FilePath>)> {
        let keys = self.of.get(&process).map(|of| of.keys.as_slice());
        keys.unwrap_or_default().iter().map(|key| {
            let path = match self.kept.get(key).map(|kept| &kept.first) {
                Some(First::File(file)) => Some(&file.path),
                _ => None,
            };
            (*key, path)
        })
    }

    /// Every process that has keys.
    pub(super) fn processes(&self) -> Vec<ProcessKey> {
        self.of.keys().copied().collect()
    }

    /// Forgets all of a process.
    pub(super) fn forget(&mut self, process: ProcessKey) {
        for key in self.of.remove(&process).unwrap_or_default().keys {
            self.kept.remove(&key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(pid: u32, operation: u32) -> RepeatKey {
        RepeatKey {
            pid,
            operation,
            ..RepeatKey::default()
        }
    }

    fn process(pid: u32) -> ProcessKey {
        ProcessKey { pid, start_ticks: 1 }
    }

    #[test]
    fn a_repeat_is_told_once() {
        let mut repeats = Repeats::default();
        repeats.keep(key(1, 1), process(1), First::Dropped);
        assert!(repeats.grown(key(1, 1), 0).is_none());
        assert!(matches!(repeats.grown(key(1, 1), 3), Some((First::Dropped, 3))));
        assert!(repeats.grown(key(1, 1), 3).is_none());
        repeats.keep(key(1, 1), process(1), First::Dropped);
        assert!(matches!(repeats.grown(key(1, 1), 5), Some((First::Dropped, 2))));
        assert!(repeats.grown(key(1, 2), 5).is_none(), "never reported");
    }

    #[test]
    fn what_ended_is_forgotten() {
        let mut repeats = Repeats::default();
        repeats.keep(key(1, 1), process(1), First::Dropped);
        repeats.keep(key(1, 2), process(1), First::Dropped);
        repeats.keep(key(2, 1), process(2), First::Dropped);
        assert_eq!(repeats.of(process(1)), [key(1, 1), key(1, 2)]);
        repeats.forget(process(1));
        assert_eq!(repeats.of(process(1)), []);
        assert!(repeats.grown(key(1, 1), 9).is_none());
        assert!(!repeats.holds(key(1, 1)) && repeats.holds(key(2, 1)));
        assert_eq!(repeats.processes(), [process(2)]);
    }

    #[test]
    fn what_is_not_counted_is_let_go() {
        let mut repeats = Repeats::default();
        repeats.keep(key(1, 1), process(1), First::Dropped);
        repeats.missed(key(1, 1), process(1));
        assert!(repeats.grown(key(1, 1), 0).is_none() && repeats.holds(key(1, 1)));
        repeats.missed(key(1, 1), process(1));
        assert!(repeats.holds(key(1, 1)), "it was there in between");
        repeats.missed(key(1, 1), process(1));
        assert!(!repeats.holds(key(1, 1)));
        assert_eq!(repeats.of(process(1)), []);
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let mut repeats = Repeats::default();
        for pid in 0..REPEATS_MAX + 10 {
            repeats.keep(key(pid, 1), process(pid), First::Dropped);
        }
        assert_eq!(repeats.kept.len(), REPEATS_MAX as usize);
        assert_eq!(repeats.of.len(), REPEATS_MAX as usize);
        assert!((REPEATS_MAX..REPEATS_MAX + 10).all(|pid| !repeats.holds(key(pid, 1))));
    }

    #[test]
    fn what_is_not_counted_makes_room_for_what_may_be() {
        let mut repeats = Repeats::default();
        for pid in 0..REPEATS_MAX {
            repeats.keep(key(pid, 1), process(pid), First::Dropped);
        }
        for pid in [3, 4, 5] {
            repeats.missed(key(pid, 1), process(pid));
        }
        assert!(
            repeats.grown(key(3, 1), 0).is_none(),
            "it had a count when it was asked for again"
        );
        let new = |n: u32| (key(REPEATS_MAX + n, 1), process(REPEATS_MAX + n));
        for n in 0..3 {
            repeats.keep(new(n).0, new(n).1, First::Dropped);
        }
        assert_eq!(
            [3, 4, 5].map(|pid| repeats.holds(key(pid, 1))),
            [true, false, false]
        );
        assert_eq!([0, 1, 2].map(|n| repeats.holds(new(n).0)), [true, true, false]);
        assert_eq!(repeats.of(process(4)), []);
        assert_eq!(repeats.kept.len(), REPEATS_MAX as usize);
    }

    #[test]
    fn what_is_missed_again_and_again_is_bounded() {
        let mut repeats = Repeats::default();
        repeats.keep(key(1, 1), process(1), First::Dropped);
        for _ in 0..REPEATS_MAX + 10 {
            repeats.missed(key(1, 1), process(1));
            assert!(repeats.grown(key(1, 1), 0).is_none());
        }
        assert_eq!(repeats.missing.len(), REPEATS_MAX as usize);
    }
}
