//! Where the chain of batches stands. Pure: whoever holds it keeps it.

use std::time::Duration;

use claviger_proto::envelope::{CHAIN_START, Sha256Digest};

use super::BootId;

/// What the next batch builds on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChainState {
    /// The boot that sequences are counted in.
    pub boot_id: BootId,
    /// Sequence of the next event.
    pub next_sequence: u64,
    /// Digest of the batch before the next one.
    pub previous_digest: Sha256Digest,
}

impl ChainState {
    /// Before a sensor's first batch.
    #[must_use]
    pub fn start(boot_id: BootId) -> Self {
        Self {
            boot_id,
            next_sequence: 1,
            previous_digest: CHAIN_START,
        }
    }

    /// A place in a boot behind all that can have been sealed since it began, so long ago: no sensor seals an event each microsecond.
    #[must_use]
    pub fn behind_all(boot_id: BootId, since_boot: Duration) -> Self {
        Self {
            next_sequence: u64::try_from(since_boot.as_micros()).unwrap_or(u64::MAX),
            ..Self::start(boot_id)
        }
    }

    /// The same chain in this boot: a new boot counts from 1 again, the chain of digests goes on.
    #[must_use]
    pub fn in_boot(self, boot_id: BootId) -> Self {
        if boot_id == self.boot_id {
            self
        } else {
            Self {
                boot_id,
                next_sequence: 1,
                ..self
            }
        }
    }

    /// After a batch.
    #[must_use]
    pub fn after(boot_id: BootId, last_sequence: u64, digest: Sha256Digest) -> Self {
        Self {
            boot_id,
            next_sequence: last_sequence.saturating_add(1),
            previous_digest: digest,
        }
    }
}
