//! What an opening learns from the anchor.

use super::super::FileSystem;
use super::super::anchor::{Anchor, Anchored, Found};
use super::super::ledger::Ledger;
use super::super::lost::{LossReason, Lost, LostRange};
use super::Walk;
use crate::clock::unix_milliseconds;
use crate::sign::ChainState;

impl Ledger {
    /// Adds what the anchor knows: where the chain stands, and where there is no ledger any more, the rest of what it said.
    pub(super) fn add(&mut self, anchored: &Anchored, has_ledger: bool, now_ms: i64) {
        let at = anchored.chain;
        let is_newer = self.chain.is_none_or(|own| {
            if own.chain.boot_id == at.chain.boot_id {
                at.chain.next_sequence > own.chain.next_sequence
            } else {
                (at.segment, at.end) > (own.segment, own.end)
            }
        });
        if is_newer {
            self.chain = Some(at);
        }
        if has_ledger {
            return;
        }
        self.acknowledged = anchored.acknowledged;
        self.first_segment = anchored.first_segment;
        if anchored.untold_events > 0 {
            self.lost.push(Lost::unsequenced(
                LossReason::SpoolRemoved,
                0,
                anchored.untold_events,
                now_ms,
            ));
        }
    }
}

impl<F: FileSystem> Walk<F> {
    /// Tells that somebody was at the files, also where nothing is missing that the detector does not have.
    pub(super) fn tell_removal(&mut self, range: Option<LostRange>) {
        let now = unix_milliseconds(self.spool.clock.now());
        self.recovery.removed = true;
        self.spool.lose(Lost {
            range,
            ..Lost::unsequenced(LossReason::SpoolRemoved, 0, 0, now)
        });
    }

    /// Whether there was never an anchor: the spool is one of a sensor that made none, and it is there, as far as it can tell itself. A ledger that
    /// was written beside an anchor says so; without a ledger nobody can tell what was removed.
    pub(super) fn is_of_before_anchors(&self) -> bool {
        self.has_ledger && !self.spool.has_anchor && self.spool.chain.is_some()
    }

    /// Whether nothing can have been sealed but a batch whose writing the anchor has not come to: more than that an anchor knows of, if it was not
    /// emptied.
    pub(super) fn can_be_unused(&self) -> bool {
        let records: u64 = self.spool.segments.iter().map(|segment| segment.records).sum();
        let first_only = records <= 1 && self.spool.segments.iter().all(|segment| segment.number <= 1);
        first_only
            && self.ledger.chain.is_none()
            && self.spool.acknowledged.is_none()
            && self.spool.first_segment == 0
    }

    /// Nothing tells how far the chain has come: it goes on where it cannot have been in this boot. What is between may have been given.
    pub(super) fn go_on_behind_all(&mut self) {
        let Some(Anchor { behind_all, .. }) = self.spool.anchor else {
            return;
        };
        let before = self.spool.chain;
        let first_sequence = match before {
            Some(before) if before.boot_id == behind_all.boot_id => before.next_sequence,
            _ => 1,
        };
        let after = ChainState {
            next_sequence: behind_all.next_sequence.max(first_sequence.saturating_add(1)),
            previous_digest: before.map_or(behind_all.previous_digest, |before| before.previous_digest),
            ..behind_all
        };
        self.tell_removal(Some(LostRange {
            boot_id: after.boot_id,
            first_sequence,
            last_sequence: after.next_sequence - 1,
            last_digest: None,
        }));
        self.spool.chain = Some(after);
    }

    /// Whether nothing can have been sealed behind a place where the chain is known to have been.
    pub(super) fn is_exact(&self, chain: &ChainState) -> bool {
        match (&self.found, &self.spool.anchor) {
            (Some(Found::At(anchored)), Some(anchor)) if anchored.chain.chain == *chain => {
                anchored.is_clean || chain.boot_id == anchor.behind_all.boot_id
            }
            _ => true,
        }
    }
}
