//! What was measured, a value for each round. Pure.

use std::collections::BTreeMap;

use crate::condition::Condition;
use crate::statistics::Spread;
use crate::workload::Workload;

/// The median of each round, by workload and condition.
#[derive(Clone, Debug, Default)]
pub(crate) struct Results {
    values: BTreeMap<(Workload, Condition), Vec<f64>>,
}

impl Results {
    /// Adds a round's median in nanoseconds.
    pub(crate) fn add(&mut self, workload: Workload, condition: Condition, median_ns: f64) {
        self.values
            .entry((workload, condition))
            .or_default()
            .push(median_ns);
    }

    fn rounds(&self, workload: Workload, condition: Condition) -> &[f64] {
        self.values.get(&(workload, condition)).map_or(&[], Vec::as_slice)
    }

    /// Over all rounds.
    pub(crate) fn spread(&self, workload: Workload, condition: Condition) -> Option<Spread> {
        Spread::of(self.rounds(workload, condition).iter().copied())
    }

    /// What the condition adds to nothing attached, round by round.
    pub(crate) fn added(&self, workload: Workload, condition: Condition) -> Option<Spread> {
        if condition == Condition::Nothing {
            return None;
        }
        Spread::of_differences(
            self.rounds(workload, condition),
            self.rounds(workload, Condition::Nothing),
        )
    }

    /// What the condition adds, as a multiple of what another adds; nothing where that is within noise of nothing.
    pub(crate) fn ratio(&self, workload: Workload, condition: Condition, other: Condition) -> Option<f64> {
        let added = self.added(workload, condition)?.median;
        let other = self.added(workload, other)?;
        (other.first_quartile > 0.0).then_some(added / other.median)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn results() -> Results {
        let mut results = Results::default();
        // Noise that hits a round hits all of it.
        for noise in [0.0, 5.0, 500.0] {
            for (condition, value) in [
                (Condition::Nothing, 1000.0),
                (Condition::Empty, 1060.0),
                (Condition::Sensor, 1120.0),
                (Condition::Bpftrace, 1000.0),
            ] {
                results.add(Workload::Unrelated, condition, value + noise);
            }
        }
        results
    }

    #[test]
    fn what_is_added_is_free_of_a_rounds_noise() {
        let added = results()
            .added(Workload::Unrelated, Condition::Sensor)
            .expect("measured");
        assert_eq!(
            (added.first_quartile, added.median, added.third_quartile),
            (120.0, 120.0, 120.0)
        );
    }

    #[test]
    fn a_ratio_needs_something_to_compare_with() {
        let results = results();
        let ratio = |other| results.ratio(Workload::Unrelated, Condition::Sensor, other);
        assert_eq!(ratio(Condition::Empty), Some(2.0));
        assert_eq!(ratio(Condition::Bpftrace), None, "it added nothing");
        assert_eq!(ratio(Condition::Auditd), None, "it was not measured");
    }
}
