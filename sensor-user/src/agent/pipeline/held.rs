//! Files found open or mapped, of which no hook told.

use std::collections::{HashMap, VecDeque};

use claviger_sensor_common::{ObjectKey, RepeatKey};

use super::*;
use crate::{
    agent::repeats::First,
    config::FileOpenHook,
    decode::{FilePath, Held},
    kernel::hook_name,
};

/// Opens told by their path alone that are remembered. At the bound the oldest is forgotten: its descriptor, when it is found, is then told
/// once more.
pub(in crate::agent) const BY_PATH_MAX: usize = 1_024;

/// Opens whose end was not seen, so that only their path was told.
#[derive(Default)]
pub(super) struct ByPath {
    told: VecDeque<(ProcessKey, Vec<u8>, Option<ObjectKey>)>,
}

impl ByPath {
    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.told.len()
    }

    /// One was told, with what its path led to, where that was found out.
    pub(super) fn told(&mut self, process: ProcessKey, path: &FilePath, object: Option<ObjectKey>) {
        if self.told.len() >= BY_PATH_MAX {
            self.told.pop_front();
        }
        self.told.push_back((process, path.bytes.clone(), object));
    }

    /// Whether one was told, which is then over.
    fn take(&mut self, process: ProcessKey, path: &FilePath, object: ObjectKey) -> bool {
        let found = self.told.iter().position(|(of, told, led_to)| {
            *of == process && (*told == path.bytes || *led_to == Some(object))
        });
        found.and_then(|place| self.told.remove(place)).is_some()
    }
}

/// How long what was found open waits before it is told. A look can meet a file after it was opened and before the call has ended, at which its own hook
/// tells it.
const WAIT: Duration = Duration::from_millis(100);

/// Files found open that wait. At the bound the oldest is told at once.
pub(in crate::agent) const WAITING_MAX: usize = 4_096;

/// What was found open a moment ago.
#[derive(Default)]
pub(super) struct JustFound {
    /// In the order in which they were found.
    waiting: BTreeMap<u64, (Duration, Box<Held>)>,
    by_use: HashMap<RepeatKey, u64>,
    last_number: u64,
}

/// The same for whatever was done with the file.
fn of_use(key: &RepeatKey) -> RepeatKey {
    RepeatKey { operation: 0, ..*key }
}

impl JustFound {
    /// How many wait.
    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Takes up one, found at `now`; gives back the oldest where there are too many.
    fn push(&mut self, held: Box<Held>, now: Duration) -> Option<Box<Held>> {
        self.last_number += 1;
        self.by_use.insert(of_use(&held.file.key), self.last_number);
        self.waiting.insert(self.last_number, (now, held));
        if self.waiting.len() <= WAITING_MAX {
            return None;
        }
        let (number, (_, oldest)) = self.waiting.pop_first()?;
        self.forget(number, &oldest);
        Some(oldest)
    }

    /// Those that have waited for so long.
    fn ripe(&mut self, now: Duration, wait: Duration) -> Vec<Held> {
        let mut ripe = Vec::new();
        while let Some(first) = self.waiting.first_entry()
            && first.get().0 + wait <= now
        {
            let (number, (_, held)) = first.remove_entry();
            self.forget(number, &held);
            ripe.push(*held);
        }
        ripe
    }

    /// The one that is this use, by the same program run with the same right.
    fn take(&mut self, key: &RepeatKey) -> Option<Box<Held>> {
        let number = self.by_use.remove(&of_use(key))?;
        self.waiting.remove(&number).map(|(_, held)| held)
    }

    fn forget(&mut self, number: u64, held: &Held) {
        let key = of_use(&held.file.key);
        if self.by_use.get(&key) == Some(&number) {
            self.by_use.remove(&key);
        }
    }
}

/// Whether hooks see every way to a descriptor, as LSM and fentry do.
fn sees_all_ways(probes: &[ProbeState]) -> bool {
    let tracepoint = hook_name(FileOpenHook::Tracepoint);
    let mut opens = probes.iter().filter(|state| state.probe == Probe::FileOpen);
    opens.all(|state| state.hook.as_deref() != Some(tracepoint))
}

/// How long between looks. Where hooks see every way to a descriptor, there is only what another process puts into a ring to be found.
pub(super) fn between_looks(interval: Duration, probes: &[ProbeState]) -> Duration {
    const SELDOM: u32 = 8;
    interval * if sees_all_ways(probes) { SELDOM } else { 1 }
}

impl<S: Sink> Agent<S> {
    /// A file was found open. It waits a moment for the hook that may have seen how it came to that.
    pub(super) fn held(&mut self, held: Held) {
        if let Some(oldest) = self.just_found.push(Box::new(held), self.started.elapsed()) {
            self.tell_held(&oldest);
        }
    }

    /// Tells what was found open and has waited: for [`WAIT`], or at all.
    pub(super) fn tell_found(&mut self, all: bool) {
        let wait = if all { Duration::ZERO } else { WAIT };
        for held in self.just_found.ripe(self.started.elapsed(), wait) {
            self.tell_held(&held);
        }
        self.tell_awaited(all);
    }

    /// A use was told as it was done: if it was found open a moment before, it is not told for that once more.
    pub(super) fn told_as_done(&mut self, key: &RepeatKey, process: ProcessKey) {
        if let Some(held) = self.just_found.take(key) {
            self.accounts.received += 1;
            self.accounts.drop_record(Dropped::ToldAsDone);
            self.repeats.keep(held.file.key, process, First::Dropped);
        }
    }

    /// Told, unless it was told by its path. It is told once, and its key kept until the process has ended.
    fn tell_held(&mut self, held: &Held) {
        let process = held.file.task.process;
        if self.by_path.take(process, &held.file.path, held.file.object.key) {
            self.accounts.received += 1;
            self.accounts.drop_record(Dropped::ToldByPath);
        } else if self.tell_file_use(&held.file, None, Some(held))
            == Err(NotTold::Lost(LostHere::UnknownLabel))
        {
            return;
        }
        self.repeats.keep(held.file.key, process, First::Dropped);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(bytes: &[u8]) -> FilePath {
        FilePath {
            bytes: bytes.to_vec(),
            truncated: false,
        }
    }

    fn process(pid: u32) -> ProcessKey {
        ProcessKey { pid, start_ticks: 1 }
    }

    #[test]
    fn what_was_told_by_its_path_is_found_once() {
        let mut by_path = ByPath::default();
        by_path.told(process(1), &path(b"/key"), None);
        assert!(
            !by_path.take(process(2), &path(b"/key"), ObjectKey::default()),
            "another's"
        );
        assert!(!by_path.take(process(1), &path(b"/other"), ObjectKey::default()));
        assert!(by_path.take(process(1), &path(b"/key"), ObjectKey::default()));
        assert!(
            !by_path.take(process(1), &path(b"/key"), ObjectKey::default()),
            "it is over"
        );
    }

    fn found(pid: u32, operation: u32) -> Held {
        use claviger_sensor_common::{HeldRecord, OPERATION_HOLD, RECORD_HELD};
        use zerocopy::{FromZeros as _, IntoBytes as _};
        let mut record = HeldRecord::new_zeroed();
        record.header.kind = RECORD_HELD;
        record.matched = claviger_sensor_common::MATCHED_OBJECT;
        record.key.pid = pid;
        record.key.operation = OPERATION_HOLD;
        let Ok(Record::Held(mut held)) = decode(record.as_bytes()) else {
            panic!("a record of a file found open");
        };
        held.file.key.operation = operation;
        *held
    }

    #[test]
    fn what_is_told_as_it_was_done_is_not_told_as_found() {
        use claviger_sensor_common::{OPERATION_HOLD, OPERATION_OPEN};
        let mut just_found = JustFound::default();
        let at = Duration::from_millis;
        for pid in 1..4 {
            assert!(
                just_found
                    .push(Box::new(found(pid, OPERATION_HOLD)), at(0))
                    .is_none()
            );
        }
        let opened = found(2, OPERATION_OPEN).file.key;
        let other = RepeatKey { access: 1, ..opened };
        assert!(just_found.take(&other).is_none(), "it is good for something else");
        assert!(just_found.take(&opened).is_some());
        assert!(just_found.take(&opened).is_none(), "once");
        assert_eq!(just_found.ripe(at(99), WAIT), []);
        let ripe: Vec<_> = just_found
            .ripe(at(100), WAIT)
            .iter()
            .map(|held| held.file.key.pid)
            .collect();
        assert_eq!(ripe, [1, 3]);
    }

    #[test]
    fn what_waits_is_bounded() {
        let mut just_found = JustFound::default();
        for pid in 0..=u32::try_from(WAITING_MAX).expect("small") {
            let oldest = just_found.push(Box::new(found(pid, 5)), Duration::ZERO);
            assert_eq!(
                oldest.map(|held| held.file.key.pid),
                (pid as usize == WAITING_MAX).then_some(0)
            );
        }
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut by_path = ByPath::default();
        for pid in 0..=u32::try_from(BY_PATH_MAX).expect("small") {
            by_path.told(process(pid), &path(b"/key"), None);
        }
        assert_eq!(by_path.told.len(), BY_PATH_MAX);
        assert!(
            !by_path.take(process(0), &path(b"/key"), ObjectKey::default()),
            "the oldest went"
        );
    }
}
