//! The queue of questions to the worker, which knows how many wait.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
        mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel},
    },
    time::Duration,
};

use super::{messages::Ask, worker::QUEUE_MAX};

/// The end at which is asked.
#[derive(Clone)]
pub(super) struct Asks {
    questions: SyncSender<Ask>,
    waiting: Arc<AtomicUsize>,
}

/// The end at which is answered.
pub(super) struct AskedQueue {
    questions: Receiver<Ask>,
    waiting: Arc<AtomicUsize>,
}

/// Both ends. At most [`QUEUE_MAX`] wait.
pub(super) fn queue() -> (Asks, AskedQueue) {
    let (sender, receiver) = sync_channel(QUEUE_MAX);
    let waiting = Arc::new(AtomicUsize::new(0));
    let asks = Asks {
        questions: sender,
        waiting: Arc::clone(&waiting),
    };
    let asked = AskedQueue {
        questions: receiver,
        waiting,
    };
    (asks, asked)
}

impl Asks {
    /// Asks; false where the queue is full, or nobody answers any more.
    pub(super) fn try_send(&self, ask: Ask) -> bool {
        self.counted(|questions| questions.try_send(ask).is_ok())
    }

    /// Asks, and waits for room; false where nobody answers any more.
    pub(super) fn send(&self, ask: Ask) -> bool {
        self.counted(|questions| questions.send(ask).is_ok())
    }

    /// How many wait, or are about to.
    pub(super) fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    /// Counted before, so that the other end never takes what is not counted.
    fn counted(&self, send: impl FnOnce(&SyncSender<Ask>) -> bool) -> bool {
        self.waiting.fetch_add(1, Ordering::Relaxed);
        let sent = send(&self.questions);
        if !sent {
            self.waiting.fetch_sub(1, Ordering::Relaxed);
        }
        sent
    }
}

impl AskedQueue {
    /// The questions that wait, at most `most`; where none does, the next one that comes before the time is over. [`Ask::Stop`] where nobody asks any
    /// more.
    pub(super) fn take(&self, timeout: Duration, most: usize) -> Vec<Ask> {
        let mut taken = match self.questions.recv_timeout(timeout) {
            Ok(ask) => vec![ask],
            Err(RecvTimeoutError::Timeout) => return Vec::new(),
            Err(RecvTimeoutError::Disconnected) => return vec![Ask::Stop],
        };
        taken.extend(self.questions.try_iter().take(most.saturating_sub(1)));
        self.waiting.fetch_sub(taken.len(), Ordering::Relaxed);
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_waits_is_counted_and_bounded() {
        let (asks, asked) = queue();
        while asks.try_send(Ask::Look) {}
        assert_eq!(asks.waiting(), QUEUE_MAX);
        assert!(matches!(asked.take(Duration::ZERO, 1)[..], [Ask::Look]));
        assert_eq!(asks.waiting(), QUEUE_MAX - 1);
        drop(asked);
        assert!(!asks.send(Ask::Look));
        assert_eq!(asks.waiting(), QUEUE_MAX - 1);
    }

    #[test]
    fn what_waits_is_taken_at_once_up_to_a_bound() {
        let (asks, asked) = queue();
        for _ in 0..5 {
            assert!(asks.try_send(Ask::Look));
        }
        assert_eq!(asked.take(Duration::ZERO, 3).len(), 3);
        assert_eq!(asks.waiting(), 2);
        assert_eq!(asked.take(Duration::ZERO, 3).len(), 2);
        assert!(asked.take(Duration::ZERO, 3).is_empty());
        drop(asks);
        assert!(matches!(asked.take(Duration::ZERO, 3)[..], [Ask::Stop]));
    }
}
