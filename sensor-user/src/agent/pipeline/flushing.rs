//! Telling those who ask when all that was seen until then is kept.

use super::*;

/// For so long one who waits until all is delivered waits for scans too: a worker may hang.
const PATIENCE: Duration = Duration::from_secs(15);
/// For so long the end waits for records that were begun. The longest of ours takes microseconds, where nobody takes away the CPU.
const LAST_RECORDS: Duration = Duration::from_secs(1);

/// What came of a flush.
#[derive(Clone, Debug, Default)]
pub struct Kept {
    /// The last event that was kept.
    pub last: Option<EventId>,
    /// Whether the newest events could not be kept.
    pub refusing: bool,
    /// Batches that were kept and that the detector refused for good since the sensor was started.
    pub rejected_batches: u64,
}

impl<S: Sink> Agent<S> {
    /// Somebody is to be told when all is delivered that was seen until now.
    pub(super) fn ask_to_flush(&mut self, back: oneshot::Sender<Kept>) {
        self.tell_all();
        let mark = self.kernel.records.written();
        self.flush_behind = (!self.kernel.records.has_read(mark)).then_some(mark);
        self.flush_by = Instant::now() + PATIENCE;
        self.flushing.push(back);
    }

    /// Reads what was seen until now, for as long as others' CPUs may take to end what they have begun.
    pub(super) async fn read_all(&mut self) {
        let mark = self.kernel.records.written();
        let until = Instant::now() + LAST_RECORDS;
        while !self.kernel.records.has_read(mark) && Instant::now() < until {
            if self.drain() == 0 {
                tokio::time::sleep(LOOK_AGAIN).await;
            }
        }
    }

    /// A record that is only begun, by a CPU that does something else now, holds up those behind it, which were seen before somebody asked.
    pub(super) fn look_whether_all_is_read(&mut self) {
        if self
            .flush_behind
            .is_some_and(|mark| self.kernel.records.has_read(mark))
        {
            self.flush_behind = None;
            self.tell_all();
        }
    }

    /// Whether all that was seen is read and nothing more is being found out of it, or it was waited for long enough.
    pub(super) fn has_settled(&self) -> bool {
        let is_settled = self.flush_behind.is_none()
            && self.arrivals.is_empty()
            && self.followed.is_empty()
            && self.answerers.is_empty()
            && self.knows_servers();
        is_settled || Instant::now() >= self.flush_by
    }

    /// Answers who waits for a flush, once nothing waits any more.
    pub(super) fn flush(&mut self) {
        self.tell_not_labelled();
        if self.pending.is_empty() && self.keeper.is_idle() {
            self.answer_flushes();
        }
    }

    /// Answers who waits for a flush.
    pub(super) fn answer_flushes(&mut self) {
        if self.flushing.is_empty() {
            return;
        }
        let evidence = self.keeper.status();
        let kept = Kept {
            last: self.last_id.clone(),
            refusing: evidence.as_ref().is_some_and(|evidence| evidence.outbox.refusing),
            rejected_batches: evidence.map_or(0, |evidence| evidence.outbox.forward.rejected_batches),
        };
        for back in self.flushing.drain(..) {
            // Who asked may be gone.
            let _gone = back.send(kept.clone());
        }
    }
}
