//! What was measured, a value for each round. Pure.

use std::collections::BTreeMap;

use crate::condition::Condition;
use crate::statistics::Spread;
use crate::workload::Workload;

/// Medians of loops, in nanoseconds: of each round what a condition gave, and what nothing attached gave just before and behind it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Results {
    nothing: BTreeMap<Workload, Vec<f64>>,
    pairs: BTreeMap<(Workload, Condition), Vec<Pair>>,
}

#[derive(Clone, Copy, Debug)]
struct Pair {
    with: f64,
    without: f64,
}

impl Results {
    /// Adds what nothing attached gave.
    pub(crate) fn add_nothing(&mut self, workload: Workload, median_ns: f64) {
        self.nothing.entry(workload).or_default().push(median_ns);
    }

    /// Adds what a condition gave, and nothing attached before and behind it.
    pub(crate) fn add(
        &mut self,
        workload: Workload,
        condition: Condition,
        with: f64,
        before: f64,
        behind: f64,
    ) {
        let without = f64::midpoint(before, behind);
        let pairs = self.pairs.entry((workload, condition)).or_default();
        pairs.push(Pair { with, without });
    }

    fn pairs(&self, workload: Workload, condition: Condition) -> &[Pair] {
        self.pairs.get(&(workload, condition)).map_or(&[], Vec::as_slice)
    }

    /// Over all rounds.
    pub(crate) fn spread(&self, workload: Workload, condition: Condition) -> Option<Spread> {
        if condition == Condition::Nothing {
            return Spread::of(self.nothing.get(&workload)?.iter().copied());
        }
        Spread::of(self.pairs(workload, condition).iter().map(|pair| pair.with))
    }

    /// What the condition adds to nothing attached, pair by pair.
    pub(crate) fn added(&self, workload: Workload, condition: Condition) -> Option<Spread> {
        let pairs = self.pairs(workload, condition).iter();
        Spread::of(pairs.map(|pair| pair.with - pair.without))
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
        // Noise that hits a condition and its neighbours.
        for noise in [0.0, 5.0, 500.0] {
            for (condition, value) in [
                (Condition::Empty, 1060.0),
                (Condition::Sensor, 1120.0),
                (Condition::Bpftrace, 1000.0),
            ] {
                results.add_nothing(Workload::Unrelated, 1000.0 + noise);
                results.add(
                    Workload::Unrelated,
                    condition,
                    value + noise,
                    990.0 + noise,
                    1010.0 + noise,
                );
            }
        }
        results
    }

    #[test]
    fn what_is_added_is_free_of_noise_that_lasts() {
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
