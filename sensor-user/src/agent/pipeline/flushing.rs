//! Telling those who ask when all that was seen until then is kept.

use super::*;

/// For so long one who waits until all is delivered waits for scans too: a worker may hang.
const PATIENCE: Duration = Duration::from_secs(15);

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
        self.flush_by = Instant::now() + PATIENCE;
        self.flushing.push(back);
    }

    /// Whether nothing more is to be told of directories that have come, or it was waited for long enough.
    pub(super) fn has_settled(&self) -> bool {
        let is_settled = self.arrivals.is_empty() && self.followed.is_empty() && self.answerers.is_empty();
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
