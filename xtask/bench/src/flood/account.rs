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
    /// Files beside credentials, looked at and found to be none.
    pub(super) dropped: u64,
    /// By place and reason; only what is not nothing.
    pub(super) lost: BTreeMap<String, u64>,
}

/// The probe by which files opened are seen.
const OPENS: &str = "file_open";

fn in_kernel(probe: &str) -> String {
    format!("by the kernel half's probe {probe}: ")
}

impl Account {
    pub(super) fn of(status: &Value) -> Self {
        let mut account = Self::default();
        let probes = status["probes"].as_array().map_or(&[][..], Vec::as_slice);
        for probe in probes {
            let name = probe["probe"].as_str().unwrap_or("a probe without a name");
            if name == OPENS {
                account.seen += number(&probe["seen"]);
                account.submitted += number(&probe["submitted"]);
            }
            account.lose(&in_kernel(name), &probe["lost"]);
        }
        let agent = &status["accounts"];
        account.received = number(&agent["received"]);
        account.delivered = number(&agent["delivered"]);
        let dropped = agent["dropped"].as_object().into_iter().flatten();
        account.dropped = dropped.map(|(_, count)| number(count)).sum();
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
            dropped: self.dropped.saturating_sub(before.dropped),
            lost: lost.filter(|(_, count)| *count > 0).collect(),
        }
    }

    /// Files opened that the kernel half saw and did not submit.
    pub(super) fn lost_in_kernel(&self) -> u64 {
        let place = in_kernel(OPENS);
        let reasons = self.lost.iter().filter(|(reason, _)| reason.starts_with(&place));
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
                {"probe": "process_fork", "seen": 9, "submitted": 8, "lost": {"ring_full": 1}},
            ],
            "accounts": {"received": 7, "delivered": 6, "lost": {"unknown_label": 1}, "lost_behind": {}},
        })
    }

    #[test]
    fn only_uses_of_files_and_what_was_lost_of_them_are_counted() {
        let account = Account::of(&status(10, 3));
        assert_eq!((account.seen, account.submitted, account.delivered), (10, 7, 6));
        assert_eq!(account.lost_in_kernel(), 3);
        assert_eq!(account.lost.len(), 3, "those of other probes too: {account:?}");
    }

    #[test]
    fn what_was_lost_before_is_not_lost_again() {
        let grown = Account::of(&status(30, 3)).since(&Account::of(&status(10, 3)));
        assert_eq!((grown.seen, grown.submitted), (20, 20));
        assert!(grown.lost.is_empty(), "{grown:?}");
    }
}
