//! Whether a sensor's batches join: each names the digest of the one before it, over boots, and sequences run without holes.
//!
//! Sans-IO: the state goes in with a header and what is already stored at its place; a verdict and the next state come out.
//!
//! - A batch that is stored already is a [`Verdict::Duplicate`]; other content at a place that is taken is a [`Verdict::Fork`]
//!   and leaves the state as it was.
//! - A batch that does not join is a [`Verdict::Break`]. It is evidence all the same: the chain goes on from it.
//! - A gap event that names the missing sequences and the digest of the last missing batch joins the chain. In the batch that
//!   would break it, it prevents the break; in a later one it explains it ([`Judgement::explained`]). Sensors drop the oldest
//!   of a full spool, so the explanation usually comes behind all that was waiting.
//! - A gap event says of which boot its sequences are, for each boot begins anew; it accounts for none of another. Sensors of before said it not: theirs
//!   count in any.
//! - Where a gap event names what is missing and not the digest of the last of it, nobody knows what was sealed last: the sequences are accounted
//!   for, the link is not and never will be. In the batch that follows on what is missing, that is a break of its own kind
//!   ([`BreakKind::Unproven`]), and waits for nothing.
//! - Breaks not yet explained are remembered, [`MAX_OPEN_BREAKS`] of them for each sensor; beyond that the oldest is forgotten
//!   and can then no longer be explained (its finding stands).

use claviger_proto::envelope::{CHAIN_START, Sha256Digest};
use claviger_proto::v1::Gap;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::Header;

/// How many breaks of one sensor wait for their explanation.
pub const MAX_OPEN_BREAKS: usize = 64;

/// Where a sensor's chain stands.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChainState {
    /// The newest batch.
    pub head: Option<Head>,
    /// Breaks that no gap event has explained yet, oldest first.
    pub open: Vec<OpenBreak>,
}

/// The newest batch of a sensor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// Its boot.
    pub boot: Uuid,
    /// Its last sequence.
    pub last_sequence: u64,
    /// Its digest.
    pub digest: Sha256Digest,
}

/// A break that waits for a gap event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenBreak {
    /// Boot of the batch that broke the chain.
    pub boot: Uuid,
    /// First sequence of that batch.
    pub at: u64,
    /// First sequence still missing.
    pub missing_first: u64,
    /// Last sequence missing; below `missing_first` where none is.
    pub missing_last: u64,
    /// Digest of the batch that should have come before.
    link: Sha256Digest,
    /// Whether that digest is accounted for.
    link_known: bool,
}

/// What is stored at, or overlapping with, a batch's place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// First sequence.
    pub first_sequence: u64,
    /// Last sequence.
    pub last_sequence: u64,
    /// Digest.
    pub digest: Sha256Digest,
}

/// What a gap event says was dropped after it had been sealed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dropped {
    /// The boot they are of; nothing where the sensor does not say it.
    boot: Option<Uuid>,
    first: u64,
    last: u64,
    last_digest: Option<Sha256Digest>,
}

impl Dropped {
    /// The part of a gap event that concerns the chain; nothing where it names no lost sequence. A boot that is said and is none is one of which
    /// nothing is known.
    #[must_use]
    pub fn of(gap: &Gap) -> Option<Self> {
        let (first, last) = (gap.first_lost_sequence, gap.last_lost_sequence);
        let named = first > 0 && first <= last;
        let last_digest = gap.last_lost_batch_sha256.as_slice().try_into().ok();
        let said = Some(gap.lost_boot_id.as_str()).filter(|said| !said.is_empty());
        named.then_some(Self {
            boot: said.map(|said| said.parse().unwrap_or_default()),
            first,
            last,
            last_digest,
        })
    }
}

/// How a batch joins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It joins.
    Accept,
    /// It is stored, and does not join.
    Break(Break),
    /// It is stored already, byte for byte.
    Duplicate,
    /// Another batch is stored at its place.
    Fork(Stored),
}

/// How a batch fails to join.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Break {
    /// What is wrong.
    pub kind: BreakKind,
    /// The sequence that should have come.
    pub expected_sequence: u64,
    /// The sequence that came.
    pub got_sequence: u64,
}

/// What is wrong with a batch that does not join.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BreakKind {
    /// Events before it are missing: they were lost, or taken out.
    Missing,
    /// It comes after ones that follow it.
    OutOfOrder,
    /// A gap event names what is missing before it, and that what came last of it is not known.
    Unproven,
    /// Nothing is missing by number within the boot, but it follows another batch than the one stored. Loss cannot do that.
    Rewritten,
}

/// What a batch means for its sensor's chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judgement {
    /// How it joins.
    pub verdict: Verdict,
    /// The state from now on.
    pub next: ChainState,
    /// Earlier breaks that it explains.
    pub explained: Vec<OpenBreak>,
}

impl ChainState {
    /// Judges a batch. `stored` is what of this sensor and boot overlaps with its sequences, if anything; `dropped` is what its
    /// gap events name.
    #[must_use]
    pub fn judge(&self, header: &Header, stored: Option<&Stored>, dropped: &[Dropped]) -> Judgement {
        if let Some(stored) = stored {
            let same = stored.digest == header.digest;
            let verdict = if same {
                Verdict::Duplicate
            } else {
                Verdict::Fork(stored.clone())
            };
            return Judgement {
                verdict,
                next: self.clone(),
                explained: Vec::new(),
            };
        }
        let mut next = self.clone();
        let found = self.find_break(header);
        if found
            .as_ref()
            .is_none_or(|found| found.kind != BreakKind::OutOfOrder)
        {
            next.head = Some(Head {
                boot: header.boot,
                last_sequence: header.last_sequence,
                digest: header.digest,
            });
        }
        if let Some(found) = &found {
            next.remember(self.open_break(header, found));
        }
        next.fill(header);
        next.account_for(dropped);
        let (open, mut explained): (Vec<_>, Vec<_>) = next.open.into_iter().partition(OpenBreak::is_open);
        next.open = open;
        let own = |open: &OpenBreak| open.boot == header.boot && open.at == header.first_sequence;
        let is_unproven = |open: &OpenBreak| {
            own(open)
                && open.missing_first > open.missing_last
                && dropped.iter().any(|dropped| self.leads_up_to(header, dropped))
        };
        let waiting = next.open.len();
        next.open.retain(|open| !is_unproven(open));
        let unproven = next.open.len() < waiting;
        let joined = explained.iter().any(own);
        explained.retain(|open| !own(open));
        let verdict = match found {
            Some(found) if unproven => Verdict::Break(Break {
                kind: BreakKind::Unproven,
                ..found
            }),
            Some(found) if !joined => Verdict::Break(found),
            _ => Verdict::Accept,
        };
        Judgement {
            verdict,
            next,
            explained,
        }
    }

    /// Whether a gap without a digest is of what came right before a batch, and not of something else that was lost. Of another boot than the
    /// batch's, the sequences must begin within what was stored of that boot, or right behind it, and end behind that. Where a gap does not say of
    /// which boot they are, they may be of either.
    fn leads_up_to(&self, header: &Header, dropped: &Dropped) -> bool {
        let is_right_before = dropped.last.checked_add(1) == Some(header.first_sequence);
        let is_end_of = |head: &Head| {
            dropped.first <= head.last_sequence.saturating_add(1) && dropped.last > head.last_sequence
        };
        let follows = match (&self.head, dropped.boot) {
            (Some(head), None) if head.boot != header.boot => is_end_of(head),
            (_, None) => is_right_before,
            (_, Some(boot)) if boot == header.boot => is_right_before,
            (Some(head), Some(boot)) if boot == head.boot => is_end_of(head),
            // Nothing was stored of that boot: all of it was lost.
            (_, Some(_)) => dropped.first == 1,
        };
        dropped.last_digest.is_none() && follows
    }

    fn find_break(&self, header: &Header) -> Option<Break> {
        let (same_boot, expected_sequence, expected_previous) = match &self.head {
            None => (false, 1, CHAIN_START),
            Some(head) if head.boot == header.boot => (true, head.last_sequence + 1, head.digest),
            Some(head) => (false, 1, head.digest),
        };
        let got_sequence = header.first_sequence;
        let joins = header.previous == expected_previous;
        let kind = match got_sequence.cmp(&expected_sequence) {
            std::cmp::Ordering::Equal if joins => return None,
            std::cmp::Ordering::Equal if same_boot => BreakKind::Rewritten,
            std::cmp::Ordering::Equal | std::cmp::Ordering::Greater => BreakKind::Missing,
            std::cmp::Ordering::Less => BreakKind::OutOfOrder,
        };
        Some(Break {
            kind,
            expected_sequence,
            got_sequence,
        })
    }

    /// The break as it waits for its explanation. Only what can be missing can be explained.
    fn open_break(&self, header: &Header, found: &Break) -> Option<OpenBreak> {
        let expected = self.head.as_ref().map_or(CHAIN_START, |head| head.digest);
        (found.kind == BreakKind::Missing).then(|| OpenBreak {
            boot: header.boot,
            at: header.first_sequence,
            missing_first: found.expected_sequence,
            missing_last: found.got_sequence - 1,
            link: header.previous,
            link_known: header.previous == expected,
        })
    }

    fn remember(&mut self, open: Option<OpenBreak>) {
        self.open.extend(open);
        if self.open.len() > MAX_OPEN_BREAKS {
            self.open.remove(0);
        }
    }

    /// A batch that comes late fills its part of a hole.
    fn fill(&mut self, header: &Header) {
        for open in &mut self.open {
            if open.boot == header.boot {
                open.trim(header.first_sequence, header.last_sequence);
            }
            open.link_known |= open.link == header.digest;
        }
    }

    fn account_for(&mut self, dropped: &[Dropped]) {
        for dropped in dropped {
            for open in &mut self.open {
                if dropped.boot.is_none_or(|boot| boot == open.boot) {
                    open.trim(dropped.first, dropped.last);
                }
                open.link_known |= dropped.last_digest == Some(open.link);
            }
        }
    }
}

impl OpenBreak {
    fn is_open(&self) -> bool {
        !self.link_known || self.missing_first <= self.missing_last
    }

    /// Takes `first..=last` off either end of the hole; what lies inside without touching an end stays missing.
    fn trim(&mut self, first: u64, last: u64) {
        if first <= self.missing_first && last >= self.missing_first {
            self.missing_first = last.saturating_add(1);
        }
        if first <= self.missing_last && last >= self.missing_last {
            self.missing_last = first.saturating_sub(1);
        }
    }
}

#[cfg(test)]
#[path = "chain_tests.rs"]
mod tests;
