//! One open that is told twice, by its path and by the object that it opened: it becomes one event.
//!
//! With tracepoints, what lies in the place of a file that a ring has opened may be another one by the time it is looked at. So both are told, and the path is
//! dropped where it leads to what the same program run was told to have opened with the same right. Of an open that is under way the path comes first: it
//! waits a moment for the object.

use std::collections::{HashMap, VecDeque};

use claviger_sensor_common::{
    OPENED_FOR_READING, OPENED_FOR_WRITING, OPERATION_HOLD, OPERATION_OPEN, ObjectKey, RepeatKey,
};

use super::*;
use crate::{
    agent::messages::Reached,
    decode::{Access, Attempt, End, FilePath},
};

/// How long a path waits for the object of its open. What comes later is told beside it.
const WAIT: Duration = Duration::from_millis(500);

/// Paths that wait, and uses of processes that have ended while paths of theirs are followed: so many of each. At the bound a path waits no longer, and a use
/// is forgotten: its open may then be told twice.
const KEPT_MAX: usize = 1_024;

/// What is kept until a path is told or dropped.
#[derive(Default)]
pub(super) struct SameOpens {
    waiting: VecDeque<(Duration, Box<Attempt>, Reached)>,
    /// What processes used that have ended: of a living one it is kept elsewhere.
    of_ended: HashMap<ProcessKey, Vec<Use>>,
    uses: usize,
}

/// The use of a file, and its path where it was told with one.
struct Use {
    key: RepeatKey,
    path: Option<FilePath>,
}

impl SameOpens {
    /// How many paths wait.
    pub(super) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Whether a path of this process waits.
    fn awaits(&self, process: ProcessKey) -> bool {
        let mut waiting = self.waiting.iter();
        waiting.any(|(_, attempt, _)| attempt.task.process == process)
    }

    /// A process has ended that has used these files.
    fn ended(&mut self, process: ProcessKey, uses: impl Iterator<Item = Use>) {
        let room = KEPT_MAX - self.uses;
        let uses: Vec<_> = uses.take(room).collect();
        self.uses += uses.len();
        self.of_ended.entry(process).or_default().extend(uses);
    }

    /// Nothing is followed for this process any more.
    fn forget(&mut self, process: ProcessKey) {
        let uses = self.of_ended.remove(&process).unwrap_or_default();
        self.uses -= uses.len();
    }

    /// Those that have waited for so long.
    fn ripe(&mut self, now: Duration, wait: Duration) -> Vec<(Box<Attempt>, Reached)> {
        let ripe = self
            .waiting
            .iter()
            .take_while(|(since, ..)| *since + wait <= now)
            .count();
        self.waiting
            .drain(..ripe)
            .map(|(_, attempt, reached)| (attempt, reached))
            .collect()
    }
}

/// Whether an open of which the path was told is the same as this use. `object` is what the path leads to; where that is not known, the paths decide.
fn is_same(
    attempt: &Attempt,
    object: Option<ObjectKey>,
    (key, path): (&RepeatKey, Option<&FilePath>),
) -> bool {
    let access = match attempt.access {
        Access::Read => OPENED_FOR_READING,
        Access::Write => OPENED_FOR_WRITING,
        Access::ReadWrite => OPENED_FOR_READING | OPENED_FOR_WRITING,
        Access::Unknown => key.access,
    };
    // Of what is found held it is not known how the process came to it.
    let opens = [OPERATION_OPEN, OPERATION_HOLD].contains(&key.operation) && key.errno == 0;
    // No process starts so many programs.
    let same_run = key.exec_id & u64::from(u32::MAX) == u64::from(attempt.task.exec_id);
    let same_file = match object {
        Some(object) => key.object == object,
        None => !attempt.path.truncated && path == Some(&attempt.path),
    };
    opens && same_run && key.access == access && same_file
}

impl<S: Sink> Agent<S> {
    /// Whether an open of which only the path was seen was told by its object.
    pub(super) fn is_told_by_object(&self, attempt: &Attempt, object: Option<ObjectKey>) -> bool {
        let process = attempt.task.process;
        let of_ended = self.followed.same.of_ended.get(&process);
        let of_ended = of_ended.into_iter().flatten();
        let mut uses = self
            .repeats
            .with_paths(process)
            .chain(of_ended.map(|one| (one.key, one.path.as_ref())));
        uses.any(|(key, path)| is_same(attempt, object, (&key, path)))
    }

    /// Has a path wait for the object of its open, where that is under way and was not told yet; otherwise gives it back.
    pub(super) fn await_object(
        &mut self,
        attempt: Box<Attempt>,
        reached: Reached,
    ) -> Result<(), (Box<Attempt>, Reached)> {
        let object = match &reached {
            Reached::Credential { object, .. } | Reached::Own { object, .. } => Some(*object),
            _ => None,
        };
        let waits = attempt.end == End::ToCome
            && self.is_to_be_told(&attempt, &reached)
            && self.flushing.is_empty()
            && self.followed.same.waiting.len() < KEPT_MAX
            && !self.is_told_by_object(&attempt, object);
        if !waits {
            return Err((attempt, reached));
        }
        let now = self.started.elapsed();
        self.followed.same.waiting.push_back((now, attempt, reached));
        Ok(())
    }

    /// Whether an open is one of a credential, by where its path led. Others are not waited with: anybody can make as many as he likes.
    fn is_to_be_told(&self, attempt: &Attempt, reached: &Reached) -> bool {
        match reached {
            Reached::Credential { .. } | Reached::Own { .. } => true,
            Reached::Other {
                means_the_same: false,
            }
            | Reached::Secret(..)
            | Reached::NeverUsed => false,
            Reached::Other { means_the_same: true }
            | Reached::Nowhere
            | Reached::Changed
            | Reached::NotUsed
            | Reached::Unknown => self.knowledge.places().match_path(&attempt.path.bytes).is_some(),
        }
    }

    /// Tells the paths that have waited: for [`WAIT`], or at all.
    pub(super) fn tell_awaited(&mut self, all: bool) {
        let wait = if all { Duration::ZERO } else { WAIT };
        for (attempt, reached) in self.followed.same.ripe(self.started.elapsed(), wait) {
            self.tell_where_it_led(&attempt, reached);
        }
    }

    /// A process has ended, and what it used is forgotten: not so while paths of its opens are followed.
    pub(super) fn keep_uses_of_ended(&mut self, process: ProcessKey) {
        if self.followed.follows(process) || self.followed.same.awaits(process) {
            let uses = self.repeats.with_paths(process).map(|(key, path)| Use {
                key,
                path: path.cloned(),
            });
            self.followed.same.ended(process, uses);
        }
    }

    /// A path was told or dropped: what was kept for it is let go.
    pub(super) fn is_told(&mut self, process: ProcessKey) {
        let kept = self.followed.same.of_ended.contains_key(&process);
        if kept && !self.followed.follows(process) && !self.followed.same.awaits(process) {
            self.followed.same.forget(process);
        }
    }
}

#[cfg(test)]
mod tests {
    use claviger_sensor_common::{AttemptRecord, END_TO_COME, OPERATION_INHERIT, RECORD_ATTEMPT};
    use zerocopy::{FromZeros as _, IntoBytes as _};

    use super::*;

    fn attempt(given: &[u8]) -> Box<Attempt> {
        let mut record = AttemptRecord::new_zeroed();
        record.header.kind = RECORD_ATTEMPT;
        record.errno = END_TO_COME;
        record.task.exec_id = 3;
        record.given[..given.len()].copy_from_slice(given);
        record.given_length = u32::try_from(given.len()).expect("short");
        match decode(record.as_bytes()) {
            Ok(Record::Attempt(attempt)) => attempt,
            other => panic!("{other:?}"),
        }
    }

    fn path(bytes: &[u8]) -> FilePath {
        FilePath {
            bytes: bytes.to_vec(),
            truncated: false,
        }
    }

    fn object(inode: u64) -> ObjectKey {
        ObjectKey {
            inode,
            ..ObjectKey::default()
        }
    }

    fn read(inode: u64) -> RepeatKey {
        RepeatKey {
            operation: OPERATION_OPEN,
            exec_id: 3,
            object: object(inode),
            access: OPENED_FOR_READING,
            ..RepeatKey::default()
        }
    }

    fn process(pid: u32) -> ProcessKey {
        ProcessKey { pid, start_ticks: 1 }
    }

    #[test]
    fn it_is_the_same_by_what_the_path_leads_to() {
        let attempt = attempt(b"/key");
        let is_same = |key: RepeatKey| is_same(&attempt, Some(object(1)), (&key, Some(&path(b"/key"))));
        assert!(is_same(read(1)));
        assert!(!is_same(read(2)), "another file lies there now");
        let other_right = RepeatKey {
            access: OPENED_FOR_WRITING,
            ..read(1)
        };
        let program_before = RepeatKey {
            exec_id: 2,
            ..read(1)
        };
        let refused = RepeatKey { errno: 13, ..read(1) };
        let not_opened = RepeatKey {
            operation: OPERATION_INHERIT,
            ..read(1)
        };
        for other in [other_right, program_before, refused, not_opened] {
            assert!(!is_same(other), "{other:?}");
        }
    }

    #[test]
    fn where_that_is_not_known_it_is_the_same_by_its_path() {
        let attempt = attempt(b"/key");
        assert!(is_same(&attempt, None, (&read(1), Some(&path(b"/key")))));
        assert!(!is_same(&attempt, None, (&read(1), Some(&path(b"/other")))));
        assert!(
            !is_same(&attempt, None, (&read(1), None)),
            "not told with its path"
        );
    }

    fn uses(count: usize) -> impl Iterator<Item = Use> {
        std::iter::repeat_with(|| Use {
            key: read(1),
            path: None,
        })
        .take(count)
    }

    #[test]
    fn what_is_kept_of_the_ended_is_bounded_and_let_go() {
        let mut same = SameOpens::default();
        same.ended(process(1), uses(KEPT_MAX - 1));
        same.ended(process(2), uses(2));
        let kept = |same: &SameOpens, pid| same.of_ended.get(&process(pid)).map(Vec::len);
        assert_eq!((kept(&same, 2), same.uses), (Some(1), KEPT_MAX));
        same.forget(process(1));
        assert_eq!((kept(&same, 1), same.uses), (None, 1));
        same.forget(process(3));
        same.forget(process(2));
        assert_eq!((same.of_ended.len(), same.uses), (0, 0));
    }

    #[test]
    fn a_path_waits_for_its_object_for_a_while() {
        let mut same = SameOpens::default();
        let at = Duration::from_millis;
        same.waiting.push_back((at(0), attempt(b"/a"), Reached::Unknown));
        same.waiting
            .push_back((at(100), attempt(b"/b"), Reached::Unknown));
        assert!(same.awaits(attempt(b"/a").task.process));
        let paths = |ripe: Vec<(Box<Attempt>, Reached)>| -> Vec<Vec<u8>> {
            ripe.into_iter().map(|(attempt, _)| attempt.path.bytes).collect()
        };
        assert!(same.ripe(at(499), WAIT).is_empty());
        assert_eq!(paths(same.ripe(at(500), WAIT)), [b"/a"]);
        assert_eq!(same.waiting(), 1);
        assert_eq!(paths(same.ripe(at(500), Duration::ZERO)), [b"/b"]);
    }
}
