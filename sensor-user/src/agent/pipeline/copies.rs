//! Files that a process may have copied a credential to. A record of one is no use and makes no event: the worker finds out what it is.

use claviger_sensor_common::{ObjectKey, READERS_MAX};

use super::{uses::paths_to, *};
use crate::{
    agent::copies::{LAST_LOOK, Reach, Suspect, WAITING_MAX},
    attribute::open_file_of,
    credential::Held,
    decode::Written,
};

/// Processes that may have written copies of credentials, until they end. At the bound of the kernel half's own all are forgotten; what they
/// wrote is looked at in its time then.
#[derive(Default)]
pub(super) struct Writers {
    known: HashSet<ProcessKey>,
    /// Those of them that have read another credential, which the worker has not been told.
    have_read_more: HashSet<ProcessKey>,
    asked: Asked,
}

/// Files that the worker was told of, and when, while it goes on looking at them. At the bound of what waits with it a further one is not put down.
#[derive(Default)]
struct Asked(HashMap<ObjectKey, Duration>);

impl Asked {
    fn put_down(&mut self, object: ObjectKey, now: Duration) {
        if self.0.len() >= WAITING_MAX {
            self.0.retain(|_, since| now < *since + LAST_LOOK);
        }
        if self.0.len() < WAITING_MAX || self.0.contains_key(&object) {
            self.0.insert(object, now);
        }
    }

    /// Whether one will be looked at, whether or not the worker is told of it again.
    fn will_be_looked_at(&self, object: ObjectKey, now: Duration) -> bool {
        self.0.get(&object).is_some_and(|since| now < *since + LAST_LOOK)
    }
}

impl Writers {
    /// How many are known.
    pub(super) fn len(&self) -> usize {
        self.known.len()
    }
}

/// By what a file that was written can be reached. One that lies at no path is taken hold of now, while its writer has it open, or else is found
/// by its number, on file systems that find one by that.
fn reach(written: &Written) -> Reach {
    let marks = written.marks;
    if !written.path.truncated && !marks.deleted() && !marks.memfd() {
        return Reach::Paths(paths_to(written.writer, &written.path));
    }
    let called = PathBuf::from(written.path.display());
    let object = (written.object.device, written.object.key.inode);
    let held = open_file_of(written.writer, object).and_then(|file| Held::of(file).ok());
    match held {
        Some(held) => Reach::Held(Arc::new(held), called),
        None => Reach::Number(called),
    }
}

impl<S: Sink> Agent<S> {
    pub(super) fn written(&mut self, written: &Written) {
        if self.writers.known.len() >= READERS_MAX as usize {
            self.writers = Writers::default();
        }
        self.writers.known.insert(written.writer);
        let suspect = Suspect {
            object: written.object.key,
            at: reach(written),
        };
        let (object, now) = (written.object.key, self.started.elapsed());
        if self.worker.suspect(written.writer, suspect) {
            self.writers.asked.put_down(object, now);
        } else if !self.writers.asked.will_be_looked_at(object, now) {
            self.not_looked_at();
        }
    }

    /// What may be a copy is not looked at.
    pub(super) fn not_looked_at(&mut self) {
        self.accounts.received += 1;
        self.accounts.lose(LostHere::CopyNotLookedAt, 1);
    }

    /// A process has read a credential.
    pub(super) fn credential_read(&mut self, process: ProcessKey) {
        if self.writers.known.contains(&process) {
            self.writers.have_read_more.insert(process);
        }
    }

    /// Tells the worker who has read more. Where its queue is full, it is told a little later.
    pub(super) fn tell_who_has_read_more(&mut self) {
        let worker = &self.worker;
        self.writers
            .have_read_more
            .retain(|writer| !worker.has_read_more(*writer));
    }

    /// A process ended.
    pub(super) fn writer_ended(&mut self, process: ProcessKey) {
        if self.writers.known.remove(&process) {
            self.writers.have_read_more.remove(&process);
            self.worker.writer_ended(process);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn object(inode: u64) -> ObjectKey {
        ObjectKey {
            inode,
            device: 0,
            generation: 0,
        }
    }

    #[test]
    fn what_the_worker_looks_at_already_is_not_lost() {
        let mut asked = Asked::default();
        asked.put_down(object(1), Duration::ZERO);
        let last = LAST_LOOK - Duration::from_millis(1);
        assert!(asked.will_be_looked_at(object(1), last));
        assert!(!asked.will_be_looked_at(object(1), LAST_LOOK));
        assert!(!asked.will_be_looked_at(object(2), Duration::ZERO));
        for inode in 2..=WAITING_MAX as u64 + 1 {
            asked.put_down(object(inode), Duration::ZERO);
        }
        assert!(
            !asked.will_be_looked_at(object(WAITING_MAX as u64 + 1), last),
            "it is bounded"
        );
        asked.put_down(object(0), LAST_LOOK);
        assert!(
            asked.will_be_looked_at(object(0), LAST_LOOK),
            "the others are over"
        );
        assert_eq!(asked.0.len(), 1);
    }
}
