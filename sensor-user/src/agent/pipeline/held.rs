//! Files found open or mapped, of which no hook told.

use std::collections::{HashMap, VecDeque};

use claviger_sensor_common::{
    OPERATION_HOLD, OPERATION_OPEN, OPERATION_REACH, ObjectKey, REACHED_BY_AT, RepeatKey,
};

use super::*;
use crate::{
    agent::repeats::First,
    config::FileOpenHook,
    decode::{FilePath, Held, ProcessSecret},
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

/// One that was found open.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// A file that may be a credential.
    File(Box<Held>),
    /// A part of a process, or of all.
    Secret(Box<ProcessSecret>),
}

impl Found {
    fn key(&self) -> &RepeatKey {
        match self {
            Self::File(held) => &held.file.key,
            Self::Secret(secret) => &secret.key,
        }
    }

    fn process(&self) -> ProcessKey {
        match self {
            Self::File(held) => held.file.task.process,
            Self::Secret(secret) => secret.task.process,
        }
    }
}

/// What was found open a moment ago.
#[derive(Default)]
pub(super) struct JustFound {
    /// In the order in which they were found.
    waiting: BTreeMap<u64, (Duration, Found)>,
    by_use: HashMap<RepeatKey, u64>,
    last_number: u64,
}

/// The same for whatever was done with the file, and however it came to the process.
fn of_use(key: &RepeatKey) -> RepeatKey {
    if key.operation < OPERATION_REACH {
        return RepeatKey { operation: 0, ..*key };
    }
    RepeatKey {
        access: key.access & ((1 << REACHED_BY_AT) - 1),
        ..*key
    }
}

/// What the same is counted under where the process was seen to come by it.
fn others_of_use(key: &RepeatKey) -> impl Iterator<Item = RepeatKey> {
    let same = of_use(key);
    (OPERATION_OPEN..OPERATION_HOLD).map(move |operation| {
        let mut key = same;
        if key.operation < OPERATION_REACH {
            key.operation = operation;
        } else if operation != OPERATION_OPEN {
            key.access |= operation << REACHED_BY_AT;
        }
        key
    })
}

impl JustFound {
    /// How many wait.
    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Takes up one, found at `now`; gives back the oldest where there are too many.
    fn push(&mut self, found: Found, now: Duration) -> Option<Found> {
        self.last_number += 1;
        self.by_use.insert(of_use(found.key()), self.last_number);
        self.waiting.insert(self.last_number, (now, found));
        if self.waiting.len() <= WAITING_MAX {
            return None;
        }
        let (number, (_, oldest)) = self.waiting.pop_first()?;
        self.forget(number, &oldest);
        Some(oldest)
    }

    /// Those that have waited for so long.
    fn ripe(&mut self, now: Duration, wait: Duration) -> Vec<Found> {
        let mut ripe = Vec::new();
        while let Some(first) = self.waiting.first_entry()
            && first.get().0 + wait <= now
        {
            let (number, (_, found)) = first.remove_entry();
            self.forget(number, &found);
            ripe.push(found);
        }
        ripe
    }

    /// The one that is this use, by the same program run with the same right.
    fn take(&mut self, key: &RepeatKey) -> Option<Found> {
        let number = self.by_use.remove(&of_use(key))?;
        self.waiting.remove(&number).map(|(_, found)| found)
    }

    fn forget(&mut self, number: u64, found: &Found) {
        let key = of_use(found.key());
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
        self.was_found(Found::File(Box::new(held)));
    }

    /// The same of a file that is a part of a process, or of all.
    pub(super) fn held_secret(&mut self, secret: ProcessSecret) {
        self.was_found(Found::Secret(Box::new(secret)));
    }

    fn was_found(&mut self, found: Found) {
        if others_of_use(found.key()).any(|key| self.repeats.holds(key)) {
            // The look met it when it was under way to be told.
            return self.drop_told_as_done(&found);
        }
        if let Some(oldest) = self.just_found.push(found, self.started.elapsed()) {
            self.tell_one(oldest);
        }
    }

    fn tell_one(&mut self, found: Found) {
        match found {
            Found::File(held) => self.tell_held(&held),
            Found::Secret(secret) => self.tell_held_secret(&secret),
        }
    }

    /// Tells what was found open and has waited: for [`WAIT`], or at all.
    pub(super) fn tell_found(&mut self, all: bool) {
        let wait = if all { Duration::ZERO } else { WAIT };
        for found in self.just_found.ripe(self.started.elapsed(), wait) {
            self.tell_one(found);
        }
        self.tell_awaited(all);
    }

    /// A use was told as it was done: if it was found open a moment before, it is not told for that once more.
    pub(super) fn told_as_done(&mut self, key: &RepeatKey) {
        if let Some(found) = self.just_found.take(key) {
            self.drop_told_as_done(&found);
        }
    }

    fn drop_told_as_done(&mut self, found: &Found) {
        self.accounts.received += 1;
        self.accounts.drop_record(Dropped::ToldAsDone);
        self.repeats.keep(*found.key(), found.process(), First::Dropped);
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

    fn found(pid: u32, operation: u32) -> Found {
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
        Found::File(held)
    }

    #[test]
    fn what_was_found_is_known_by_what_it_was_told_under() {
        let key = |operation, access| RepeatKey {
            pid: 7,
            operation,
            start_boottime_ns: 1,
            exec_id: 2,
            object: ObjectKey::default(),
            access,
            errno: 0,
        };
        let others: Vec<_> = others_of_use(&key(OPERATION_HOLD, 1)).collect();
        assert_eq!(others, [1, 2, 3, 4].map(|operation| key(operation, 1)));
        let part = OPERATION_REACH + 3;
        let others: Vec<_> = others_of_use(&key(part, 1 | OPERATION_HOLD << REACHED_BY_AT)).collect();
        assert_eq!(others, [0, 2, 3, 4].map(|by| key(part, 1 | by << REACHED_BY_AT)));
    }

    #[test]
    fn a_part_of_a_process_that_was_told_as_it_came_is_not_told_as_found() {
        use claviger_sensor_common::{
            OPERATION_HOLD, OPERATION_RECEIVE, PART_ENVIRON, PART_MEM, ProcessSecretRecord,
            RECORD_PROCESS_SECRET,
        };
        use zerocopy::{FromZeros as _, IntoBytes as _};
        let mut record = ProcessSecretRecord::new_zeroed();
        record.header.kind = RECORD_PROCESS_SECRET;
        record.key.operation = OPERATION_REACH + PART_MEM;
        record.key.access = OPERATION_HOLD << REACHED_BY_AT | 1;
        let Ok(Record::ProcessSecret(secret)) = decode(record.as_bytes()) else {
            panic!("a record of a part of a process");
        };
        let mut just_found = JustFound::default();
        assert_eq!(just_found.push(Found::Secret(secret), Duration::ZERO), None);
        let received = RepeatKey {
            access: OPERATION_RECEIVE << REACHED_BY_AT | 1,
            ..record.key
        };
        let other = RepeatKey {
            operation: OPERATION_REACH + PART_ENVIRON,
            ..received
        };
        assert!(just_found.take(&other).is_none(), "another part");
        assert!(just_found.take(&received).is_some());
    }

    #[test]
    fn what_is_told_as_it_was_done_is_not_told_as_found() {
        use claviger_sensor_common::{OPERATION_HOLD, OPERATION_OPEN};
        let mut just_found = JustFound::default();
        let at = Duration::from_millis;
        for pid in 1..4 {
            assert!(just_found.push(found(pid, OPERATION_HOLD), at(0)).is_none());
        }
        let opened = *found(2, OPERATION_OPEN).key();
        let other = RepeatKey { access: 1, ..opened };
        assert!(just_found.take(&other).is_none(), "it is good for something else");
        assert!(just_found.take(&opened).is_some());
        assert!(just_found.take(&opened).is_none(), "once");
        assert_eq!(just_found.ripe(at(99), WAIT), []);
        let ripe: Vec<_> = just_found
            .ripe(at(100), WAIT)
            .iter()
            .map(|found| found.key().pid)
            .collect();
        assert_eq!(ripe, [1, 3]);
    }

    #[test]
    fn what_waits_is_bounded() {
        let mut just_found = JustFound::default();
        for pid in 0..=u32::try_from(WAITING_MAX).expect("small") {
            let oldest = just_found.push(found(pid, 5), Duration::ZERO);
            assert_eq!(
                oldest.map(|found| found.key().pid),
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
