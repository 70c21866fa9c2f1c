//! How far the work of a thread has come, and how long each of its steps took.

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Instant,
};

use super::hung::Hung;

struct Step {
    at: PathBuf,
    begun: Instant,
}

/// How far it has come.
pub(in crate::agent) struct Progress {
    step: Mutex<Step>,
    steps: AtomicU64,
    /// Whoever waited for it waits no longer.
    given_up: AtomicBool,
    is_back: Arc<AtomicBool>,
    hung: Hung,
}

impl Progress {
    pub(super) fn new(at: &Path, hung: &Hung) -> Self {
        Self {
            step: Mutex::new(Step {
                at: at.to_owned(),
                begun: Instant::now(),
            }),
            steps: AtomicU64::new(0),
            given_up: AtomicBool::new(false),
            is_back: Arc::default(),
            hung: hung.clone(),
        }
    }

    /// Of work for which nobody waits.
    #[cfg(test)]
    pub(in crate::agent) fn untold() -> Self {
        Self::new(Path::new("/"), &Hung::default())
    }

    /// What comes next is at this path, as this process reaches it. False where that is not to be touched: nothing answers there, or too slowly, or
    /// nobody waits any more for what comes of it.
    pub(in crate::agent) fn step(&self, at: &Path) -> bool {
        self.steps.fetch_add(1, Ordering::Relaxed);
        {
            let mut here = self.here();
            self.charge(&here);
            // The buffer stays.
            here.at.as_mut_os_string().clear();
            here.at.as_mut_os_string().push(at);
            here.begun = Instant::now();
        }
        !self.given_up.load(Ordering::Acquire) && !self.hung.is_avoided(at)
    }

    /// The work is done.
    pub(super) fn end(&self) {
        self.charge(&self.here());
        self.is_back.store(true, Ordering::Release);
    }

    /// What hung has been told as that already.
    fn charge(&self, step: &Step) {
        if !self.given_up.load(Ordering::Acquire) {
            self.hung.took(&step.at, step.begun.elapsed());
        }
    }

    /// Nobody waits for it any more. Where it is, and what tells when it has come back.
    pub(super) fn give_up(&self) -> (PathBuf, Arc<AtomicBool>) {
        self.given_up.store(true, Ordering::Release);
        (self.here().at.clone(), Arc::clone(&self.is_back))
    }

    pub(super) fn steps(&self) -> u64 {
        self.steps.load(Ordering::Relaxed)
    }

    fn here(&self) -> MutexGuard<'_, Step> {
        self.step.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
