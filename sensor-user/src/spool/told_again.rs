//! Gaps of a batch that the detector refused: nobody has read them there, so they are told again.

use claviger_proto::v1::{Batch, Envelope, Gap};
use prost::Message as _;

use super::lost::{LossReason, Lost, LostRange};
use super::{FileSystem, Mark, Spool, SpoolError};
use crate::sign::BootId;

/// Most gaps that are none of the spool's own and wait to be told again; the last takes in what is beyond.
const GAPS_MAX: usize = 64;

/// Gaps of others than the spool that no batch tells any more.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Gaps {
    pending: Vec<Gap>,
    /// Somebody is about to tell them.
    taken: Vec<Gap>,
}

impl Gaps {
    pub(super) fn add(&mut self, gap: Gap) {
        let is_full = self.pending.len() >= GAPS_MAX;
        let same = self
            .pending
            .iter()
            .position(|had| had.reason == gap.reason && names_nothing(had) && names_nothing(&gap))
            .or_else(|| self.pending.len().checked_sub(1).filter(|_| is_full));
        match same.and_then(|at| self.pending.get_mut(at)) {
            Some(sum) => add_up(sum, gap),
            None => self.pending.push(gap),
        }
    }

    pub(super) fn take(&mut self) -> Vec<Gap> {
        let pending = std::mem::take(&mut self.pending);
        self.taken.extend(pending.iter().cloned());
        pending
    }

    pub(super) fn told(&mut self) -> bool {
        let any = !self.taken.is_empty();
        self.taken.clear();
        any
    }

    pub(super) fn not_told(&mut self) {
        for gap in std::mem::take(&mut self.taken) {
            self.add(gap);
        }
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &Gap> {
        self.taken.iter().chain(&self.pending)
    }

    /// How much is lost by what they say.
    pub(super) fn count(&self) -> u64 {
        let losses = self.all().flat_map(|gap| &gap.losses);
        losses.fold(0, |sum, loss| sum.saturating_add(loss.count))
    }
}

impl<F: FileSystem> Spool<F> {
    /// Gaps that others than the spool had told in a batch which the detector refused. As with [`take_lost`](Self::take_lost), they count as told when
    /// the next batch is appended, and are given again where it is refused.
    pub fn take_gaps(&mut self) -> Vec<Gap> {
        self.losses.gaps.take()
    }

    /// Has what a batch that waits told of losses told again.
    pub(super) fn tell_again_what_is_told_in(&mut self, mark: &Mark) -> Result<(), SpoolError> {
        let mut place: Option<Mark> = None;
        while let Some(next) = self.next_after(place.as_ref())? {
            if next.mark.position() > mark.position() {
                break;
            }
            if next.mark.position() == mark.position() {
                for gap in gaps_in(&next.envelope) {
                    match lost_of(&gap) {
                        // It is counted in the totals already.
                        Some(lost) => self.losses.add(lost),
                        None => self.losses.gaps.add(gap),
                    }
                }
                break;
            }
            place = Some(next.mark);
        }
        Ok(())
    }
}

/// The gaps of a batch; none where it is no batch.
fn gaps_in(envelope: &[u8]) -> Vec<Gap> {
    let batch = Envelope::decode(envelope).and_then(|envelope| Batch::decode(envelope.payload.as_slice()));
    let events = batch.map(|batch| batch.events).unwrap_or_default();
    events
        .into_iter()
        .filter_map(|event| event.gap.map(|gap| *gap))
        .collect()
}

/// The loss of the spool that a gap told; nothing where it told something else.
fn lost_of(gap: &Gap) -> Option<Lost> {
    let [loss] = gap.losses.as_slice() else {
        return None;
    };
    let reason = LossReason::from_word(&loss.reason).filter(|_| loss.stage == Lost::STAGE)?;
    let milliseconds = |time: Option<&prost_types::Timestamp>| {
        time.map_or(0, |time| {
            time.seconds
                .saturating_mul(1_000)
                .saturating_add(i64::from(time.nanos / 1_000_000))
        })
    };
    let range = if gap.lost_boot_id.is_empty() {
        None
    } else {
        Some(LostRange {
            boot_id: gap.lost_boot_id.parse::<BootId>().ok()?,
            first_sequence: gap.first_lost_sequence,
            last_sequence: gap.last_lost_sequence,
            last_digest: gap.last_lost_batch_sha256.as_slice().try_into().ok(),
        })
    };
    Some(Lost {
        reason,
        batches: 0,
        events: loss.count,
        range,
        from_ms: milliseconds(gap.from.as_ref()),
        to_ms: milliseconds(gap.to.as_ref()),
    })
}

/// Whether a gap only counts, and names no sequences.
fn names_nothing(gap: &Gap) -> bool {
    gap.lost_boot_id.is_empty()
}

fn add_up(sum: &mut Gap, gap: Gap) {
    for loss in gap.losses {
        let had = sum
            .losses
            .iter_mut()
            .find(|had| had.stage == loss.stage && had.reason == loss.reason);
        match had {
            Some(had) => had.count = had.count.saturating_add(loss.count),
            None => sum.losses.push(loss),
        }
    }
    let order = |time: &prost_types::Timestamp| (time.seconds, time.nanos);
    sum.from = sum.from.take().into_iter().chain(gap.from).min_by_key(order);
    sum.to = sum.to.take().into_iter().chain(gap.to).max_by_key(order);
}
