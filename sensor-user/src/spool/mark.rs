//! A place in the queue: right behind one batch.

use claviger_proto::envelope::Sha256Digest;

use crate::sign::{BootId, ChainState};

/// A place in the queue: right behind one batch, which it names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    pub(super) segment: u64,
    /// Offset in the segment at which the batch's record ends.
    pub(super) end: u64,
    /// How many records of the segment are before this place.
    pub(super) ordinal: u64,
    pub(super) boot_id: BootId,
    pub(super) last_sequence: u64,
    pub(super) digest: Sha256Digest,
}

impl Mark {
    /// The boot of the batch.
    #[must_use]
    pub fn boot_id(&self) -> BootId {
        self.boot_id
    }

    /// The batch's last sequence.
    #[must_use]
    pub fn last_sequence(&self) -> u64 {
        self.last_sequence
    }

    /// The digest of the batch.
    #[must_use]
    pub fn digest(&self) -> &Sha256Digest {
        &self.digest
    }

    pub(super) fn position(&self) -> (u64, u64) {
        (self.segment, self.end)
    }

    /// Whether this place is at or behind an offset in a segment.
    pub(super) fn covers(&self, segment: u64, end: u64) -> bool {
        self.position() >= (segment, end)
    }

    /// Where the chain stands behind the batch.
    pub(super) fn leaves(&self) -> ChainState {
        ChainState::after(self.boot_id, self.last_sequence, self.digest)
    }
}
