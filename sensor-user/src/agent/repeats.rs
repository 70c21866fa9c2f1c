//! Uses whose repeats the kernel half counts, as they were when they were first reported: a count alone would name nobody. No map, no clock:
//! counts are handed in.
//!
//! At the bound of the kernel's map no further use is counted; it then reports each by itself. What was kept of one that is not counted is let go
//! when its count was missed twice: a use is counted a moment after it was reported. What is counted and finds no room here is to be counted no
//! longer.

use std::{collections::HashMap, sync::Arc};

use claviger_sensor_common::{REPEATS_MAX, RepeatKey};

use crate::decode::{DirectoryList, FileUse, KernelKey, ProcessKey, ProcessSecret, Tamper, Task};

/// What was first reported under a key.
#[derive(Clone, Debug)]
pub(super) enum First {
    /// The use of a file.
    File(Box<FileUse>),
    /// Reaching for a process.
    Secret(Box<ProcessSecret>),
    /// The use of a key of the kernel's keyrings.
    Key(Box<KernelKey>),
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
    /// What found no room since it was asked for last.
    refused: Vec<(RepeatKey, First)>,
}

impl Repeats {
    /// Takes up what was reported under a key. Reported twice (by two threads at once), it stays what it was.
    pub(super) fn keep(&mut self, key: RepeatKey, process: ProcessKey, mut first: First) {
        if self.kept.contains_key(&key) {
            return;
        }
        if self.kept.len() >= REPEATS_MAX as usize {
            self.refused.push((key, first));
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

    /// What found no room since this was called last. To be called for each few records that were taken.
    pub(super) fn refused(&mut self) -> Vec<(RepeatKey, First)> {
        std::mem::take(&mut self.refused)
    }

    /// How many keys are kept.
    pub(super) fn len(&self) -> usize {
        self.kept.len()
    }

    /// Whether a key is kept.
    pub(super) fn holds(&self, key: RepeatKey) -> bool {
        self.kept.contains_key(&key)
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
        if !std::mem::replace(&mut kept.missed, true) {
            return;
        }
        self.kept.remove(&key);
        if let Some(of) = self.of.get_mut(&process) {
            of.keys.retain(|one| *one != key);
        }
    }

    /// A process ended: its keys, which are kept until they are forgotten.
    pub(super) fn of(&self, process: ProcessKey) -> Vec<RepeatKey> {
        self.of
            .get(&process)
            .map(|of| of.keys.clone())
            .unwrap_or_default()
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
        let refused: Vec<RepeatKey> = repeats.refused().into_iter().map(|(key, _)| key).collect();
        assert_eq!(
            refused,
            Vec::from_iter((REPEATS_MAX..REPEATS_MAX + 10).map(|pid| key(pid, 1)))
        );
        assert!(repeats.refused().is_empty());
        assert_eq!(repeats.of.len(), REPEATS_MAX as usize);
    }
}
