//! The snapshot that holds, between the loop that makes it and those who read it.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use super::Snapshot;

/// Where one end puts snapshots and the other finds the newest. Neither waits for the other.
#[derive(Clone, Debug, Default)]
pub struct Published {
    newest: Arc<Mutex<Option<Newest>>>,
}

/// A snapshot, and when it was put there.
type Newest = (Arc<Snapshot>, Instant);

/// A snapshot, and how old it is.
#[derive(Clone, Debug)]
pub struct Reading {
    /// It.
    pub snapshot: Arc<Snapshot>,
    /// How long ago it was put there: more than a few seconds, where whoever makes them hangs.
    pub age: Duration,
}

impl Published {
    /// Puts a snapshot in the place of the one before.
    pub fn publish(&self, snapshot: Snapshot) {
        let new = Some((Arc::new(snapshot), Instant::now()));
        *self.newest.lock().unwrap_or_else(PoisonError::into_inner) = new;
    }

    /// The newest; nothing before the first.
    #[must_use]
    pub fn newest(&self) -> Option<Reading> {
        let newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner).clone();
        newest.map(|(snapshot, since)| Reading {
            snapshot,
            age: since.elapsed(),
        })
    }
}
