//! The spool between the agent that appends and the forwarder that reads.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::task::{JoinHandle, spawn_blocking};

use crate::spool::{FileSystem, Mark, OsFileSystem, Spool, SpoolError, Waiting};

/// A spool that two sides use, one at a time.
#[derive(Debug)]
pub(super) struct SharedSpool<F: FileSystem = OsFileSystem>(Arc<Mutex<Spool<F>>>);

impl<F: FileSystem> Clone for SharedSpool<F> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<F: FileSystem<File: Send, Lock: Send>> SharedSpool<F> {
    pub(super) fn new(spool: Spool<F>) -> Self {
        Self(Arc::new(Mutex::new(spool)))
    }

    /// For whoever may block.
    pub(super) fn lock(&self) -> MutexGuard<'_, Spool<F>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does something on a thread that may block. It is done even if nobody waits for it any more.
    pub(super) fn run<T: Send + 'static>(
        &self,
        step: impl FnOnce(&mut Spool<F>) -> T + Send + 'static,
    ) -> JoinHandle<T> {
        let spool = self.clone();
        spawn_blocking(move || step(&mut spool.lock()))
    }

    /// Reads the batch behind a place.
    pub(super) fn read(&self, place: Option<Mark>) -> JoinHandle<Result<Option<Waiting>, SpoolError>> {
        self.run(move |spool| spool.next_after(place.as_ref()))
    }
}
