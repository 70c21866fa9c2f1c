//! Counts handshakes that came to nothing, and sums them up in the log.

use std::sync::atomic::{AtomicU64, Ordering};

/// Handshakes that came to nothing since it was last told.
#[derive(Debug, Default)]
pub(super) struct Failures {
    pub(super) failed: AtomicU64,
    pub(super) timed_out: AtomicU64,
    pub(super) dropped: AtomicU64,
}

impl Failures {
    /// Says in one line what has come up, so that strangers cannot fill the log.
    pub(super) fn tell(&self) {
        let [failed, timed_out, dropped] =
            [&self.failed, &self.timed_out, &self.dropped].map(|count| count.swap(0, Ordering::Relaxed));
        if failed + timed_out + dropped > 0 {
            tracing::info!(
                failed,
                timed_out,
                dropped,
                "TLS handshakes came to nothing; each is told at the level debug"
            );
        }
    }
}
