//! How full the spool is.

use std::time::SystemTime;

use super::lost::LossReason;
use super::{FileSystem, Spool, Waiting};
use crate::sign::BootId;

/// How full the spool is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SpoolStats {
    /// Bytes on the disk.
    pub bytes: u64,
    /// Batches that wait for the detector.
    pub waiting_batches: u64,
    /// When the oldest of them was sealed.
    pub oldest_sealed_at: Option<SystemTime>,
    /// The last acknowledged batch: its boot and last sequence.
    pub acknowledged: Option<(BootId, u64)>,
}

impl<F: FileSystem> Spool<F> {
    /// How full the spool is.
    pub fn stats(&mut self) -> SpoolStats {
        let acknowledged = self.acknowledged;
        SpoolStats {
            bytes: self.bytes(),
            waiting_batches: self.waiting_batches(),
            oldest_sealed_at: self
                .next_after(None)
                .ok()
                .flatten()
                .map(|Waiting { sealed_at, .. }| sealed_at),
            acknowledged: acknowledged.map(|mark| (mark.boot_id, mark.last_sequence)),
        }
    }

    /// Batches that wait for the detector.
    #[must_use]
    pub fn waiting_batches(&self) -> u64 {
        self.segments
            .iter()
            .map(|segment| segment.waiting(self.acknowledged.as_ref()))
            .sum()
    }

    pub(super) fn waiting_events(&self) -> u64 {
        let acknowledged = self.acknowledged.as_ref();
        let segments = self.segments.iter();
        segments
            .flat_map(|segment| segment.lost(acknowledged, LossReason::SpoolRemoved))
            .map(|lost| lost.events)
            .sum()
    }

    pub(super) fn bytes(&self) -> u64 {
        self.segments.iter().map(|segment| segment.end).sum()
    }
}
