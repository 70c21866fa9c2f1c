//! The sensor's accounts of file uses, from its status. Pure.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

/// Sums since the sensor began, or their growth.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Account {
    /// By the kernel half's probe of files opened.
    pub(super) seen: u64,
    pub(super) submitted: u64,
    /// By the agent.
    pub(super) received: u64,
    pub(super) delivered: u64,
    /// By place and reason; only what is not nothing.
    pub(super) lost: BTreeMap<String, u64>,
}

const IN_KERNEL: &str = "in the kernel half: ";

impl Account {
    pub(super) fn of(status: &Value) -> Self {
        let mut account = Self::default();
        let probes = status["probes"].as_array().map_or(&[][..], Vec::as_slice);
        for probe in probes.iter().filter(|probe| probe["probe"] == "file_open") {
            account.seen += number(&probe["seen"]);
            account.submitted += number(&probe["submitted"]);
            account.lose(IN_KERNEL, &probe["lost"]);
        }
        let agent = &status["accounts"];
        account.received = number(&agent["received"]);
        account.delivered = number(&agent["delivered"]);
        account.lose("in the agent: ", &agent["lost"]);
        account.lose("behind the agent: ", &agent["lost_behind"]);
        account
    }

    fn lose(&mut self, place: &str, reasons: &Value) {
        for (reason, count) in reasons.as_object().into_iter().flatten() {
            let count = number(count);
            if count > 0 {
                *self.lost.entry(format!("{place}{reason}")).or_default() += count;
            }
        }
    }

    /// What it grew by.
    pub(super) fn since(&self, before: &Self) -> Self {
        let lost = self.lost.iter().map(|(reason, count)| {
            let earlier = before.lost.get(reason).copied().unwrap_or_default();
            (reason.clone(), count.saturating_sub(earlier))
        });
        Self {
            seen: self.seen.saturating_sub(before.seen),
            submitted: self.submitted.saturating_sub(before.submitted),
            received: self.received.saturating_sub(before.received),
            delivered: self.delivered.saturating_sub(before.delivered),
            lost: lost.filter(|(_, count)| *count > 0).collect(),
        }
    }

    pub(super) fn lost_in_kernel(&self) -> u64 {
        let reasons = self
            .lost
            .iter()
            .filter(|(reason, _)| reason.starts_with(IN_KERNEL));
        reasons.map(|(_, count)| count).sum()
    }
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn status(seen: u64, ring_full: u64) -> Value {
        json!({
            "probes": [
                {"probe": "file_open", "seen": seen, "submitted": seen - ring_full, "lost": {"ring_full": ring_full}},
                {"probe": "process_fork", "seen": 9, "submitted": 9, "lost": {}},
            ],
            "accounts": {"received": 7, "delivered": 6, "lost": {"unknown_label": 1}, "lost_behind": {}},
        })
    }

    #[test]
    fn only_uses_of_files_and_what_was_lost_of_them_are_counted() {
        let account = Account::of(&status(10, 3));
        assert_eq!((account.seen, account.submitted, account.delivered), (10, 7, 6));
        assert_eq!(account.lost_in_kernel(), 3);
        assert_eq!(account.lost.len(), 2);
    }

    #[test]
    fn what_was_lost_before_is_not_lost_again() {
        let grown = Account::of(&status(30, 3)).since(&Account::of(&status(10, 3)));
        assert_eq!((grown.seen, grown.submitted), (20, 20));
        assert!(grown.lost.is_empty(), "{grown:?}");
    }
}
