//! Segments that lie under the name of another: exchanged, or copied.

use super::super::FileSystem;
use super::super::error::failed;
use super::super::lost::{LossReason, Lost};
use super::super::segment;
use super::{SpoolError, Walk};
use crate::clock::unix_milliseconds;
use crate::sign::ChainState;

/// Under which name the last one that was misplaced is kept, to be looked at. It counts for nothing.
const NAME: &str = "misplaced";

impl<F: FileSystem> Walk<F> {
    /// Takes note of where the chain stands as far as the pass has come.
    pub(super) fn come_to(&mut self, chain: ChainState) {
        if let Some(left) = self.expected.filter(|before| before.boot_id != chain.boot_id) {
            self.left_boots.insert(left.boot_id);
        }
        self.expected = Some(chain);
    }

    /// Whether a place of the chain is before where the pass has come, so that what follows it has been met or told.
    pub(super) fn is_behind(&self, begins: &ChainState) -> bool {
        self.expected.is_some_and(|expected| {
            if expected.boot_id == begins.boot_id {
                begins.next_sequence < expected.next_sequence
            } else {
                self.left_boots.contains(&begins.boot_id)
            }
        })
    }

    /// Whether a place that was written down is behind all that the pass has come to.
    pub(super) fn is_ahead(&self, known: &ChainState) -> bool {
        self.expected
            .is_some_and(|expected| self.is_after(known, &expected))
    }

    /// Whether one place is behind another, as far as that can be told: of two boots the present one is the later.
    pub(super) fn is_after(&self, known: &ChainState, other: &ChainState) -> bool {
        if known.boot_id == other.boot_id {
            return known.next_sequence > other.next_sequence;
        }
        let present = self.spool.anchor.as_ref().map(|anchor| anchor.behind_all.boot_id);
        present == Some(known.boot_id)
    }

    /// Puts a segment out of the way and tells that it was there. What it holds was told as lost where the segment that lies in its own
    /// place was met, or is there already.
    pub(super) fn set_aside(&mut self, number: u64) -> Result<(), SpoolError> {
        let path = segment::path(&self.spool.dir, number);
        let aside = self.spool.dir.join(NAME);
        self.spool
            .fs
            .rename(&path, &aside)
            .map_err(failed("set aside", &path))?;
        let dir = self.spool.dir.clone();
        self.spool.fs.sync_dir(&dir).map_err(failed("sync", &dir))?;
        self.recovery.damaged_places += 1;
        self.recovery.misplaced_segments += 1;
        let now = unix_milliseconds(self.spool.clock.now());
        self.spool
            .lose(Lost::unsequenced(LossReason::SpoolCorrupted, 0, 0, now));
        Ok(())
    }
}
