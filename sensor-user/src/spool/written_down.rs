//! What is written down beside the segments: the ledger, and the anchor outside of the directory.

use std::io;

use super::anchor::Anchored;
use super::error::{failed, is_disk_full};
use super::ledger::{ChainAt, Ledger};
use super::{FileSystem, Spool, SpoolError};

/// Most damaged places that are remembered as told; beyond, the oldest is told again after a restart.
const MAX_KNOWN_BREAKS: usize = 4_096;

impl<F: FileSystem> Spool<F> {
    /// Writes down where the chain stands, so that whatever goes missing until the next opening is missed exactly. For a clean stop.
    ///
    /// # Errors
    /// Where the ledger cannot be written; what is then not noticed stands at the top of this module.
    pub fn save(&mut self) -> Result<(), SpoolError> {
        let saved = self.save_ledger();
        self.anchor_due = true;
        self.write_anchor(true);
        saved
    }

    /// Whether where the chain stands could be written down outside of the spool the last time; true where nothing is.
    #[must_use]
    pub fn is_anchored(&self) -> bool {
        !self.anchor_failed
    }

    /// Writes down where the chain stands. Where that fails the batch is kept all the same; what then goes missing of the spool is missed as
    /// far as the anchor was written.
    pub(super) fn write_anchor(&mut self, is_clean: bool) {
        let (Some(anchor), Some(chain)) = (&self.anchor, self.chain_at()) else {
            return;
        };
        self.anchor_serial += 1;
        let anchored = Anchored {
            serial: self.anchor_serial,
            chain,
            acknowledged: self.acknowledged,
            first_segment: self.first_segment,
            waiting_events: self.waiting_events(),
            untold_events: self
                .losses
                .all()
                .map(|lost| lost.events)
                .fold(self.losses.gaps.count(), u64::saturating_add),
            is_clean,
        };
        let written = anchor.write(&self.fs, &anchored, self.anchor_due);
        self.anchor_failed = written.is_err();
        self.has_anchor |= written.is_ok();
        self.anchor_due &= self.anchor_failed;
    }

    pub(super) fn save_ledger(&mut self) -> Result<(), SpoolError> {
        let written = self.write_ledger();
        // Behind the ledger: what both know is told once.
        self.write_anchor(false);
        written.map_err(failed("write the ledger in", &self.dir))
    }

    pub(super) fn write_ledger(&mut self) -> io::Result<()> {
        while self.known_breaks.len() > MAX_KNOWN_BREAKS {
            self.known_breaks.pop_first();
        }
        let ledger = Ledger {
            acknowledged: self.acknowledged,
            first_segment: self.first_segment,
            chain: self.chain_at(),
            lost: self.losses.all().cloned().collect(),
            gaps: self.losses.gaps.all().cloned().collect(),
            known_breaks: self.known_breaks.clone(),
            has_anchor: self.has_anchor,
        };
        let mut written = ledger.write(&self.fs, &self.dir);
        if written.as_ref().is_err_and(is_disk_full) && self.reserve.release(&self.fs, &self.dir) {
            written = ledger.write(&self.fs, &self.dir);
        }
        // The ledger before this one is gone by now, so there is room for as much as there was.
        self.reserve.restore(&self.fs, &self.dir);
        written
    }

    fn chain_at(&self) -> Option<ChainAt> {
        let (segment, end) = match (self.segments.back(), &self.acknowledged) {
            (Some(last), _) => (last.number, last.end),
            (None, Some(mark)) => mark.position(),
            (None, None) => (0, 0),
        };
        self.chain.map(|chain| ChainAt { chain, segment, end })
    }
}
