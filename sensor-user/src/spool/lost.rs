//! What was lost, so that it can be told in a signed gap.

use std::time::{Duration, UNIX_EPOCH};

use claviger_proto::envelope::Sha256Digest;
use claviger_proto::v1::{Gap, LossCount};
use prost_types::Timestamp;

use super::told_again::Gaps;
use crate::sign::BootId;

/// Most losses that are told one by one. Those beyond are added up by reason, without their sequences.
pub(crate) const MAX_PENDING: usize = 256;

/// Why sealed events were lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum LossReason {
    /// The disk has no room.
    DiskFull,
    /// The sensor was enrolled anew before the detector had them.
    IdentityReplaced,
    /// The detector refused them for good.
    Rejected,
    /// The spool's files are damaged.
    SpoolCorrupted,
    /// The spool is at its `max_bytes`.
    SpoolFull,
    /// The disk failed.
    SpoolIo,
    /// The spool was removed, or what says where its chain stands.
    SpoolRemoved,
    /// A segment that was written is not there, or is no regular file.
    SpoolSegmentMissing,
    /// One event alone is larger than a collector takes.
    TooLarge,
}

/// So many sealed events were lost for one reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lost {
    /// Why.
    pub reason: LossReason,
    /// How many batches; 0 where nobody could count.
    pub batches: u64,
    /// How many events; 0 where nobody could count.
    pub events: u64,
    /// Which; nothing where their sequences were given to others, or are not known.
    pub range: Option<LostRange>,
    /// When the first was sealed, in milliseconds since 1970.
    pub from_ms: i64,
    /// When the last was sealed, or where that is not known, when its loss was noticed.
    pub to_ms: i64,
}

/// Sequences that will never arrive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LostRange {
    /// The boot they are of.
    pub boot_id: BootId,
    /// The first.
    pub first_sequence: u64,
    /// The last.
    pub last_sequence: u64,
    /// SHA-256 of the last lost batch's payload, where it is known.
    pub last_digest: Option<Sha256Digest>,
}

impl LossReason {
    /// All reasons.
    pub const ALL: [Self; 9] = [
        Self::DiskFull,
        Self::IdentityReplaced,
        Self::Rejected,
        Self::SpoolCorrupted,
        Self::SpoolFull,
        Self::SpoolIo,
        Self::SpoolRemoved,
        Self::SpoolSegmentMissing,
        Self::TooLarge,
    ];

    /// The word in gaps and loss counts.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::DiskFull => "disk_full",
            Self::IdentityReplaced => "identity_replaced",
            Self::Rejected => "rejected",
            Self::SpoolCorrupted => "spool_corrupted",
            Self::SpoolFull => "spool_full",
            Self::SpoolIo => "spool_io",
            Self::SpoolRemoved => "spool_removed",
            Self::SpoolSegmentMissing => "spool_segment_missing",
            Self::TooLarge => "too_large",
        }
    }

    /// The reason of a word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.word() == word)
    }

    /// The reason for a person.
    #[must_use]
    pub fn sentence(self) -> &'static str {
        match self {
            Self::DiskFull => "the disk is full",
            Self::IdentityReplaced => "the sensor was enrolled anew",
            Self::Rejected => "the detector refused it",
            Self::SpoolCorrupted => "the spool is damaged",
            Self::SpoolFull => "it is at its max_bytes",
            Self::SpoolIo => "the disk failed",
            Self::SpoolRemoved => "the spool was removed",
            Self::SpoolSegmentMissing => "a file of the spool is missing",
            Self::TooLarge => "it is larger than a collector takes",
        }
    }
}

impl Lost {
    /// The stage in counts and gaps.
    pub(crate) const STAGE: &str = "spool";

    /// So many events that were never given sequences which another event does not have now.
    pub(crate) fn unsequenced(reason: LossReason, batches: u64, events: u64, at_ms: i64) -> Self {
        Self {
            reason,
            batches,
            events,
            range: None,
            from_ms: at_ms,
            to_ms: at_ms,
        }
    }

    /// As the contract's count. The stage is `spool`.
    #[must_use]
    pub fn loss_count(&self) -> LossCount {
        LossCount {
            stage: Self::STAGE.to_owned(),
            reason: self.reason.word().to_owned(),
            count: self.events,
        }
    }

    /// As the contract's gap.
    #[must_use]
    pub fn gap(&self) -> Gap {
        Gap {
            losses: vec![self.loss_count()],
            from: timestamp(self.from_ms),
            to: timestamp(self.to_ms),
            reason: self.reason.word().to_owned(),
            first_lost_sequence: self.range.map_or(0, |range| range.first_sequence),
            last_lost_sequence: self.range.map_or(0, |range| range.last_sequence),
            last_lost_batch_sha256: self
                .range
                .and_then(|range| range.last_digest)
                .map(|digest| digest.to_vec())
                .unwrap_or_default(),
            lost_boot_id: self
                .range
                .map(|range| range.boot_id.to_string())
                .unwrap_or_default(),
        }
    }

    /// Takes in what was lost right behind it for the same reason.
    fn absorb(&mut self, next: &Self) -> bool {
        if self.reason != next.reason {
            return false;
        }
        match (&mut self.range, &next.range) {
            (None, None) => {}
            (Some(range), Some(more))
                if range.boot_id == more.boot_id
                    && range.last_sequence.checked_add(1) == Some(more.first_sequence) =>
            {
                range.last_sequence = more.last_sequence;
                range.last_digest = more.last_digest;
            }
            _ => return false,
        }
        self.add(next);
        true
    }

    fn add(&mut self, next: &Self) {
        self.batches = self.batches.saturating_add(next.batches);
        self.events = self.events.saturating_add(next.events);
        self.from_ms = self.from_ms.min(next.from_ms);
        self.to_ms = self.to_ms.max(next.to_ms);
    }
}

fn timestamp(milliseconds: i64) -> Option<Timestamp> {
    let distance = Duration::from_millis(milliseconds.unsigned_abs());
    let time = if milliseconds < 0 {
        UNIX_EPOCH.checked_sub(distance)
    } else {
        UNIX_EPOCH.checked_add(distance)
    };
    time.map(Timestamp::from)
}

/// Losses that no gap tells yet. Bounded: see [`MAX_PENDING`].
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Losses {
    /// Nobody knows of them yet.
    pub(super) pending: Vec<Lost>,
    /// Somebody is about to tell them.
    pub(super) taken: Vec<Lost>,
    /// Of others than the spool.
    pub(super) gaps: Gaps,
}

impl Losses {
    pub(super) fn add(&mut self, lost: Lost) {
        if self.pending.last_mut().is_some_and(|last| last.absorb(&lost)) {
            return;
        }
        if self.pending.len() < MAX_PENDING {
            self.pending.push(lost);
            return;
        }
        let summed = self
            .pending
            .iter_mut()
            .find(|sum| sum.reason == lost.reason && sum.range.is_none());
        match summed {
            Some(sum) => sum.add(&lost),
            // One for each reason at most.
            None => self.pending.push(Lost { range: None, ..lost }),
        }
    }

    pub(super) fn take(&mut self) -> Vec<Lost> {
        let pending = std::mem::take(&mut self.pending);
        self.taken.extend(pending.iter().cloned());
        pending
    }

    /// What was taken has been told.
    pub(super) fn told(&mut self) -> bool {
        let any = self.gaps.told() || !self.taken.is_empty();
        self.taken.clear();
        any
    }

    /// What was taken could not be told.
    pub(super) fn not_told(&mut self) {
        for lost in std::mem::take(&mut self.taken) {
            self.add(lost);
        }
        self.gaps.not_told();
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &Lost> {
        self.taken.iter().chain(&self.pending)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lost(reason: LossReason, first: u64, last: u64) -> Lost {
        Lost {
            reason,
            batches: 1,
            events: last - first + 1,
            range: Some(LostRange {
                boot_id: BootId::from_bytes([1; 16]),
                first_sequence: first,
                last_sequence: last,
                last_digest: Some([9; 32]),
            }),
            from_ms: 1_000,
            to_ms: 2_000,
        }
    }

    #[test]
    fn words_come_back() {
        for reason in LossReason::ALL {
            assert_eq!(LossReason::from_word(reason.word()), Some(reason));
        }
        assert_eq!(LossReason::from_word("else"), None);
    }

    #[test]
    fn neighbours_become_one() {
        let mut losses = Losses::default();
        losses.add(lost(LossReason::SpoolFull, 1, 3));
        losses.add(lost(LossReason::SpoolFull, 4, 9));
        losses.add(lost(LossReason::SpoolFull, 11, 12));
        losses.add(lost(LossReason::Rejected, 13, 13));
        let all = losses.take();
        assert_eq!(all.len(), 3);
        assert_eq!((all[0].batches, all[0].events), (2, 9));
        assert_eq!(
            all[0]
                .range
                .map(|range| (range.first_sequence, range.last_sequence)),
            Some((1, 9))
        );
    }

    #[test]
    fn the_list_is_bounded_and_counts_all() {
        let mut losses = Losses::default();
        for at in 0..10_000 {
            losses.add(lost(LossReason::Rejected, at * 2 + 1, at * 2 + 1));
        }
        assert!(losses.pending.len() <= MAX_PENDING + LossReason::ALL.len());
        assert_eq!(losses.take().iter().map(|lost| lost.events).sum::<u64>(), 10_000);
    }

    #[test]
    fn what_could_not_be_told_is_told_again() {
        let mut losses = Losses::default();
        losses.add(lost(LossReason::SpoolFull, 1, 3));
        assert_eq!(losses.take().len(), 1);
        assert_eq!(losses.take().len(), 0);
        losses.not_told();
        assert_eq!(losses.take().len(), 1);
        assert!(losses.told());
        assert_eq!(losses, Losses::default());
    }

    #[test]
    fn a_gap_names_what_will_never_arrive() {
        let gap = lost(LossReason::SpoolFull, 5, 7).gap();
        assert_eq!((gap.first_lost_sequence, gap.last_lost_sequence), (5, 7));
        assert_eq!(gap.last_lost_batch_sha256, [9; 32]);
        assert_eq!(gap.lost_boot_id.parse(), Ok(BootId::from_bytes([1; 16])));
        assert_eq!(gap.reason, "spool_full");
        assert_eq!(gap.losses[0].count, 3);
        assert_eq!(gap.from.expect("there").seconds, 1);
        let unknown = Lost::unsequenced(LossReason::DiskFull, 1, 4, -5).gap();
        assert_eq!((unknown.first_lost_sequence, unknown.last_lost_sequence), (0, 0));
        assert!(unknown.last_lost_batch_sha256.is_empty());
        assert_eq!(unknown.lost_boot_id, "");
    }
}
