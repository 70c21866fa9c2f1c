//! The hands of a thread that must not hang: another thread touches files for it. Where a file system does not answer (fuse without its program, nfs
//! without its server) that one cannot be called back; it is given up, another takes its place, and the path is not touched until it has come back, by no hands.
//!
//! - A thread is given up when it has not come a step further for [`PATIENCE`]; the time until then is up to twice that.
//! - At most [`GIVEN_UP_MAX`] of one owner wait at once. At the bound he waits with the next one himself; of the worker, its self-test finds that out.

mod hung;
mod progress;

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel},
    },
    thread,
    time::{Duration, Instant},
};

use claviger_sensor_common::ObjectKey;

use hung::Hung;
pub(super) use hung::{Changed, Hanging};
pub(super) use progress::Progress;

use crate::{
    credential::OpenError,
    kernel::{LabelError, Labeller, Purpose},
};

/// For so long one step may take. A disk that is only slow answers in this time.
const PATIENCE: Duration = Duration::from_secs(5);

/// How often it is looked whether a thread that was given up has come back.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Threads that were given up and have not come back.
const GIVEN_UP_MAX: usize = 16;

type Work = Box<dyn FnOnce() + Send>;

struct Hand {
    work: SyncSender<Work>,
    tid: u32,
}

/// Why something was not done, or not to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Hangs {
    /// Nothing answers there.
    #[error("its file system does not answer")]
    There,
    /// The system has no thread to do it with.
    #[error("there is no thread to look with")]
    NoThread,
}

/// Touches files.
pub(super) struct Hands {
    hand: Option<Hand>,
    /// Whether each of its threads that were given up has come back.
    given_up: Vec<Arc<AtomicBool>>,
    hung: Hung,
    /// Time spent on what was given up.
    wasted: Duration,
    patience: Duration,
}

impl Default for Hands {
    fn default() -> Self {
        Self {
            hand: None,
            given_up: Vec::new(),
            hung: Hung::default(),
            wasted: Duration::ZERO,
            patience: PATIENCE,
        }
    }
}

impl Hands {
    /// Others, for another owner, which know as well where nothing answers. What changes is told by the first ones.
    pub(super) fn others(&self) -> Self {
        Self {
            hung: self.hung.clone(),
            patience: self.patience,
            ..Self::default()
        }
    }

    /// The thread id of the hand that does what is run next; nothing where the system has no thread left.
    pub(super) fn tid(&mut self) -> Option<u32> {
        if self.hand.is_none() {
            self.hand = start()
                .inspect_err(|error| tracing::error!(%error, "no thread to look at files with"))
                .ok();
        }
        self.hand.as_ref().map(|hand| hand.tid)
    }

    /// Does something to what lies at a path.
    ///
    /// # Errors
    /// [`Hangs`]; [`Hangs::There`] also where something that hangs there was given up before.
    pub(super) fn run<T: Send + 'static>(
        &mut self,
        at: &Path,
        work: impl FnOnce(&Progress) -> T + Send + 'static,
    ) -> Result<T, Hangs> {
        if self.avoids(at) {
            return Err(Hangs::There);
        }
        self.tid();
        let hand = self.hand.as_ref().ok_or(Hangs::NoThread)?;
        let progress = Arc::new(Progress::new(at, &self.hung));
        let (done, is_done) = sync_channel(1);
        let theirs = Arc::clone(&progress);
        let work: Work = Box::new(move || {
            let result = work(&theirs);
            theirs.end();
            // Whoever waited may have given up.
            let _unwanted = done.send(result);
        });
        if hand.work.send(work).is_err() {
            self.hand = None;
            return Err(Hangs::NoThread);
        }
        let begun = Instant::now();
        let mut steps = 0;
        loop {
            match is_done.recv_timeout(self.patience) {
                Ok(result) => return Ok(result),
                Err(RecvTimeoutError::Timeout) => {
                    let before = std::mem::replace(&mut steps, progress.steps());
                    self.given_up.retain(|is_back| !is_back.load(Ordering::Acquire));
                    if before != steps || self.given_up.len() >= GIVEN_UP_MAX {
                        continue;
                    }
                    self.wasted += begun.elapsed();
                    self.give_up(&progress);
                    return Err(Hangs::There);
                }
                Err(RecvTimeoutError::Disconnected) => {
                    self.hand = None;
                    return Err(Hangs::NoThread);
                }
            }
        }
    }

    /// Asks the kernel half about the file at a path that `open` opens, and nothing else.
    ///
    /// # Errors
    /// [`LabelError`].
    pub(super) fn ask<T: Send + 'static>(
        &mut self,
        labeller: &mut Labeller,
        purpose: Purpose,
        at: &Path,
        open: impl FnOnce() -> Result<T, OpenError> + Send + 'static,
    ) -> Result<(Result<T, OpenError>, Option<ObjectKey>), LabelError> {
        let Some(tid) = self.tid() else {
            return Ok((Err(OpenError::Hangs), None));
        };
        labeller.ask_of(tid, purpose, || {
            self.run(at, move |_| open()).unwrap_or(Err(OpenError::Hangs))
        })
    }

    fn give_up(&mut self, progress: &Progress) {
        // It ends when it comes back: nobody can give it work any more.
        self.hand = None;
        let (at, is_back) = progress.give_up();
        self.given_up.push(Arc::clone(&is_back));
        self.hung.hangs(&at, is_back);
    }

    /// Whether a path is not touched for now.
    pub(super) fn avoids(&self, path: &Path) -> bool {
        self.hung.is_avoided(path)
    }

    /// What is not touched for now.
    pub(super) fn avoided(&self) -> Vec<PathBuf> {
        self.hung.avoided()
    }

    /// Time spent on what was given up, since the last call.
    pub(super) fn wasted(&mut self) -> Duration {
        std::mem::take(&mut self.wasted)
    }

    /// When it is to be looked whether something has come back; nothing where nothing is avoided.
    pub(super) fn due(&self, now: Instant) -> Option<Instant> {
        (!self.hung.avoided().is_empty()).then(|| now + LOOK_EVERY)
    }

    /// What answers no longer, or again, since the last call.
    pub(super) fn changed(&mut self) -> Changed {
        self.hung.changed()
    }
}

fn start() -> std::io::Result<Hand> {
    let (work, works) = sync_channel::<Work>(1);
    let (tell, told) = sync_channel(1);
    thread::Builder::new()
        .name("claviger-hands".into())
        .spawn(move || serve(&tell, &works))?;
    let tid = told.recv().map_err(std::io::Error::other)?;
    Ok(Hand { work, tid })
}

fn serve(tell: &SyncSender<u32>, works: &Receiver<Work>) {
    let tid = rustix::thread::gettid().as_raw_nonzero().get().unsigned_abs();
    let _unwanted = tell.send(tid);
    for work in works {
        work();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hands() -> Hands {
        Hands {
            patience: Duration::from_millis(20),
            ..Hands::default()
        }
    }

    /// Work that hangs until the sender is dropped.
    fn hang(hands: &mut Hands, at: &str) -> SyncSender<()> {
        let (answer, answered) = sync_channel::<()>(1);
        let done = hands.run(Path::new(at), move |_| answered.recv());
        assert_eq!(done.err(), Some(Hangs::There));
        answer
    }

    #[test]
    fn what_hangs_is_given_up_and_the_rest_goes_on() {
        let mut hands = hands();
        let answer = hang(&mut hands, "/nowhere/a");
        assert_eq!(hands.run(Path::new("/nowhere/b"), |_| 7), Ok(7));
        assert_eq!(hands.run(Path::new("/nowhere/a/below"), |_| 7), Err(Hangs::There));
        assert_eq!(hands.avoided(), [Path::new("/nowhere/a")]);
        let changed = hands.changed();
        assert_eq!(changed.hanging.len(), 1);
        assert!(changed.answering.is_empty());
        assert_eq!(hands.changed(), Changed::default(), "it is told once");

        drop(answer);
        let mut changed = hands.changed();
        while changed.answering.is_empty() {
            thread::yield_now();
            changed = hands.changed();
        }
        assert!(changed.hanging.is_empty());
        assert_eq!(hands.run(Path::new("/nowhere/a"), |_| 7), Ok(7));
    }

    #[test]
    fn work_that_comes_further_is_not_given_up() {
        let mut hands = hands();
        let patience = hands.patience;
        let done = hands.run(Path::new("/nowhere"), move |progress| {
            for step in 0..10 {
                assert!(progress.step(&Path::new("/nowhere").join(step.to_string())));
                thread::sleep(patience / 2);
            }
        });
        assert_eq!(done, Ok(()));
    }

    #[test]
    fn where_it_hangs_is_where_it_came_to() {
        let mut hands = hands();
        let (answer, answered) = sync_channel::<()>(1);
        let done = hands.run(Path::new("/"), move |progress| {
            progress.step(Path::new("/nowhere/deep"));
            answered.recv()
        });
        assert_eq!(done.err(), Some(Hangs::There));
        assert_eq!(hands.avoided(), [Path::new("/nowhere/deep")]);
        drop(answer);
    }

    #[test]
    fn what_one_hangs_at_no_other_touches_and_who_is_given_up_goes_no_further() {
        let mut hands = hands();
        let mut others = hands.others();
        let (answer, answered) = sync_channel::<()>(1);
        let (tell, told) = sync_channel(1);
        let done = hands.run(Path::new("/nowhere/a"), move |progress| {
            let _dropped = answered.recv();
            let _unwanted = tell.send(progress.step(Path::new("/nowhere/b")));
        });
        assert_eq!(done, Err(Hangs::There));
        assert_eq!(others.run(Path::new("/nowhere/a/c"), |_| 7), Err(Hangs::There));
        assert_eq!(others.run(Path::new("/nowhere/b"), |_| 7), Ok(7));
        let stepped = others.run(Path::new("/"), |progress| progress.step(Path::new("/nowhere/a")));
        assert_eq!(stepped, Ok(false));
        drop(answer);
        assert_eq!(told.recv(), Ok(false), "nobody waits for it");
        while others.avoids(Path::new("/nowhere/a")) {
            thread::yield_now();
        }
        assert_eq!(others.run(Path::new("/nowhere/a/c"), |_| 7), Ok(7));
    }

    #[test]
    fn what_is_given_up_is_bounded() {
        let mut hands = hands();
        let hanging: Vec<_> = (0..GIVEN_UP_MAX)
            .map(|number| hang(&mut hands, &format!("/nowhere/{number}")))
            .collect();
        let patience = hands.patience;
        let slow = hands.run(Path::new("/nowhere/more"), move |_| thread::sleep(patience * 3));
        assert_eq!(slow, Ok(()), "it is waited for");
        drop(hanging);
    }

    #[test]
    fn work_that_panics_costs_its_thread_only() {
        let mut hands = hands();
        let quiet = hands.run(Path::new("/nowhere"), |_| std::panic::resume_unwind(Box::new(())));
        assert_eq!(quiet, Err(Hangs::NoThread));
        assert_eq!(hands.run(Path::new("/nowhere"), |_| 7), Ok(7));
    }
}
