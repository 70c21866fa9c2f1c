//! What became of every record: `received = delivered + waiting + Σ dropped(reason) + Σ lost(reason)`. Of those delivered, some may be lost
//! behind the agent: what came of them is in `lost_behind`, as soon as it is known.

use std::collections::BTreeMap;

use claviger_proto::v1::LossCount;

use super::reasons::{Dropped, LostHere};

/// The agent's accounts since it started.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Accounts {
    /// Records taken from the ring that report a use (not those that only keep the process table), and reports of repeats made from the kernel
    /// half's counts. `received = delivered + waiting + Σ dropped + Σ lost`.
    pub received: u64,
    /// Uses handed on; those of `lost_behind` among them.
    pub delivered: u64,
    /// Uses that wait for their attribution.
    pub waiting: u64,
    /// Records that became no event, by reason, and that are no loss of anything.
    pub dropped: BTreeMap<String, u64>,
    /// Lost in the agent, by reason: records that are `undecodable`, uses of an `unknown_label`, files that may be copies and were too many to be
    /// looked at (`copy_not_looked_at`), trees of containers that were not looked into in time (`tree_not_looked_into`), credentials that were moved with their directory and were too many to be told (`too_many_moved`), directories
    /// that came to where credentials can lie and were too many to be looked into (`too_many_moves`), or were not at the end (`not_scanned`), and opens of which
    /// only a path was seen that says nothing now (`path_changed`, `path_not_followed`, `path_read_late`, `refused_not_followed`). Every one is in a gap.
    pub lost: BTreeMap<String, u64>,
    /// Repeats that were told, in events with their count.
    pub repeats_told: u64,
    /// Repeats of what is no use.
    pub repeats_dropped: u64,
    /// Identities that were found too late even for an amendment.
    pub forgotten_answers: u64,
    /// What was lost behind the agent, by reason, e.g. `spool_full`: events of what somebody did that could not be kept, and events of any kind
    /// that were kept and lost later, those that an earlier run left and this one missed included. Every one is in a gap, now or when one can be kept.
    pub lost_behind: BTreeMap<String, u64>,
}

impl Accounts {
    /// Counts a record that is no use.
    pub(super) fn drop_record(&mut self, reason: Dropped) {
        *self.dropped.entry(reason.word().to_owned()).or_default() += 1;
    }

    /// Counts losses.
    pub(super) fn lose(&mut self, reason: LostHere, count: u64) {
        *self.lost.entry(reason.word().to_owned()).or_default() += count;
    }

    /// Counts losses behind the agent.
    pub fn lose_behind(&mut self, reason: &str, count: u64) {
        *self.lost_behind.entry(reason.to_owned()).or_default() += count;
    }

    /// The agent's losses in total.
    #[must_use]
    pub fn losses(&self) -> Vec<LossCount> {
        as_losses("agent", &self.lost)
    }

    /// The losses behind the agent in total.
    #[must_use]
    pub fn losses_behind(&self) -> Vec<LossCount> {
        as_losses("spool", &self.lost_behind)
    }
}

fn as_losses(stage: &str, counts: &BTreeMap<String, u64>) -> Vec<LossCount> {
    counts
        .iter()
        .map(|(reason, count)| LossCount {
            stage: stage.to_owned(),
            reason: reason.clone(),
            count: *count,
        })
        .collect()
}

/// What grew between two totals.
#[must_use]
pub(super) fn growth(before: &[LossCount], now: &[LossCount]) -> Vec<LossCount> {
    now.iter()
        .filter_map(|loss| {
            let had = before
                .iter()
                .find(|old| old.stage == loss.stage && old.reason == loss.reason)
                .map_or(0, |old| old.count);
            let count = loss.count.saturating_sub(had);
            (count > 0).then(|| LossCount {
                count,
                ..loss.clone()
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn loss(reason: &str, count: u64) -> LossCount {
        LossCount {
            stage: "file_open".into(),
            reason: reason.into(),
            count,
        }
    }

    #[test]
    fn growth_is_what_was_not_there_before() {
        let before = [loss("ring_full", 3)];
        let now = [loss("ring_full", 5), loss("unreadable", 1)];
        assert_eq!(
            growth(&before, &now),
            [loss("ring_full", 2), loss("unreadable", 1)]
        );
        assert_eq!(growth(&now, &now), []);
    }
}
