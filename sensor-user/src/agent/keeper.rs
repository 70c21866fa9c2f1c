//! The thread by which what is told is kept: to seal it takes time, and a disk may stand still, for which no record is to wait in the ring.
//!
//! At most [`BATCHES_MAX`] wait for it; who gives it one more waits as well. What comes back for each says which ids its events got.

use std::{
    io,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, TryLockError,
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread::{self, JoinHandle},
};

use claviger_proto::v1::{Event, LossCount};
use tokio::sync::mpsc::{Receiver as AsyncReceiver, Sender as AsyncSender, channel};

use super::{Delivered, EvidenceStatus, Sink};

/// Batches that wait to be kept, beside the one that is being.
const BATCHES_MAX: usize = 8;

/// Batches that have not been taken back: what came back before one is given is taken before that, so no more than those that wait, the one that is being kept
/// and the one that is given.
pub(super) const UNDER_WAY_MAX: usize = BATCHES_MAX + 2;

/// Events that belong together.
struct ToKeep {
    events: Vec<Event>,
    losses: Vec<LossCount>,
}

/// A sink, and its thread.
pub(super) struct Keeper<S> {
    sink: Arc<Mutex<S>>,
    /// How the way behind the sink was when it was asked last.
    status: Mutex<Option<EvidenceStatus>>,
    running: Option<Running>,
    under_way: usize,
}

struct Running {
    to: SyncSender<ToKeep>,
    back: AsyncReceiver<Delivered>,
    thread: JoinHandle<()>,
}

impl<S: Sink> Keeper<S> {
    pub(super) fn new(sink: S) -> Self {
        Self {
            sink: Arc::new(Mutex::new(sink)),
            status: Mutex::new(None),
            running: None,
            under_way: 0,
        }
    }

    /// Starts the thread, with the priority of the one that calls.
    pub(super) fn start(&mut self) -> io::Result<()> {
        let (to, given) = sync_channel(BATCHES_MAX);
        let (done, back) = channel(UNDER_WAY_MAX);
        let sink = Arc::clone(&self.sink);
        let thread = thread::Builder::new()
            .name("claviger-keeper".into())
            .spawn(move || keep(&sink, &given, &done))?;
        self.running = Some(Running { to, back, thread });
        Ok(())
    }

    /// Gives events that are to be kept, once all that has come back was taken ([`Self::next_now`]). False where nobody takes them any more.
    pub(super) fn give(&mut self, events: Vec<Event>, losses: Vec<LossCount>) -> bool {
        let Some(running) = &self.running else {
            return false;
        };
        let given = running.to.send(ToKeep { events, losses }).is_ok();
        self.under_way += usize::from(given);
        given
    }

    /// Whether all that was given has been taken back.
    pub(super) fn is_idle(&self) -> bool {
        self.under_way == 0
    }

    /// How many that were given have not been taken back.
    pub(super) fn under_way(&self) -> usize {
        self.under_way
    }

    /// What came of those that were given, in their order; nothing where the thread is gone.
    pub(super) async fn next(&mut self) -> Option<Delivered> {
        let delivered = self.running.as_mut()?.back.recv().await?;
        self.under_way -= 1;
        Some(delivered)
    }

    /// As [`Self::next`], of what is there already.
    pub(super) fn next_now(&mut self) -> Option<Delivered> {
        let delivered = self.running.as_mut()?.back.try_recv().ok()?;
        self.under_way -= 1;
        Some(delivered)
    }

    /// Whether evidence of an earlier run is known. Waits while something is being kept.
    pub(super) fn ran_before(&self) -> bool {
        lock(&self.sink).ran_before()
    }

    /// How the way behind is; while something is being kept, as it was when it was asked last.
    pub(super) fn status(&self) -> Option<EvidenceStatus> {
        let mut last = lock(&self.status);
        let sink = match self.sink.try_lock() {
            Ok(sink) => sink,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return last.clone(),
        };
        last.clone_from(&sink.status());
        last.clone()
    }

    /// Ends the thread once all is kept, and gives the sink back; nothing where the thread panicked.
    pub(super) fn end(self) -> Option<S> {
        if let Some(Running { to, back, thread }) = self.running {
            drop(to);
            thread.join().ok()?;
            drop(back);
        }
        Some(
            Arc::into_inner(self.sink)?
                .into_inner()
                .unwrap_or_else(PoisonError::into_inner),
        )
    }
}

fn keep<S: Sink>(sink: &Mutex<S>, given: &Receiver<ToKeep>, done: &AsyncSender<Delivered>) {
    for ToKeep { events, losses } in given {
        let delivered = lock(sink).deliver(events, losses);
        if done.blocking_send(delivered).is_err() {
            return;
        }
    }
}

fn lock<T>(what: &Mutex<T>) -> MutexGuard<'_, T> {
    what.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Keeps how many events each delivery had, once it may.
    struct Counting {
        may: Receiver<()>,
        kept: Vec<usize>,
    }

    impl Sink for Counting {
        fn deliver(&mut self, events: Vec<Event>, losses: Vec<LossCount>) -> Delivered {
            let _who_lets = self.may.recv();
            self.kept.push(events.len());
            Delivered {
                lost: losses,
                ..Delivered::default()
            }
        }
    }

    fn loss(count: u64) -> LossCount {
        LossCount {
            count,
            ..LossCount::default()
        }
    }

    #[tokio::test]
    async fn what_is_given_comes_back_in_its_order_and_nobody_waits_for_the_sink() {
        let (let_one, may) = sync_channel(64);
        let mut keeper = Keeper::new(Counting {
            may,
            kept: Vec::new(),
        });
        assert!(!keeper.give(Vec::new(), Vec::new()), "nobody is there yet");
        keeper.start().expect("a thread");
        for number in 0..BATCHES_MAX {
            assert!(keeper.give(vec![Event::default(); number], vec![loss(number as u64)]));
        }
        assert_eq!(keeper.under_way(), BATCHES_MAX);
        assert!(keeper.next_now().is_none(), "the sink stands still");
        assert!(keeper.status().is_none());
        for number in 0..BATCHES_MAX {
            let_one.send(()).expect("it waits");
            let delivered = keeper.next().await.expect("the thread is there");
            assert_eq!(delivered.lost, [loss(number as u64)]);
        }
        assert!(keeper.is_idle());
        let sink = keeper.end().expect("it has ended");
        assert_eq!(sink.kept, (0..BATCHES_MAX).collect::<Vec<_>>());
    }

    #[tokio::test]
    async fn what_was_given_is_kept_when_it_ends() {
        let (let_one, may) = sync_channel(64);
        let mut keeper = Keeper::new(Counting {
            may,
            kept: Vec::new(),
        });
        keeper.start().expect("a thread");
        for _ in 0..3 {
            assert!(keeper.give(vec![Event::default()], Vec::new()));
            let_one.send(()).expect("it waits");
        }
        assert_eq!(keeper.end().expect("it has ended").kept, [1, 1, 1]);
    }
}
