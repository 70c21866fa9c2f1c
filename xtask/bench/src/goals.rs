//! What the sensor may cost on the tracepoint hooks, and whether it does. Pure.

use serde::Serialize;

use crate::condition::Condition;
use crate::results::Results;
use crate::workload::Workload;

/// One goal beside what was measured.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Goal {
    pub(crate) goal: &'static str,
    pub(crate) at_most: f64,
    pub(crate) unit: &'static str,
    /// Nothing where it could not be measured.
    pub(crate) value: Option<f64>,
    pub(crate) met: bool,
}

impl Goal {
    fn new(goal: &'static str, at_most: f64, unit: &'static str, value: Option<f64>) -> Self {
        Self {
            goal,
            at_most,
            unit,
            value,
            met: value.is_some_and(|value| value <= at_most),
        }
    }

    pub(crate) fn is_met(&self) -> bool {
        self.met
    }
}

/// All goals that a clock can judge.
pub(crate) fn judge(results: &Results) -> Vec<Goal> {
    use Condition::{Auditd, Empty, Sensor};
    use Workload::{FirstUse, Getppid, Mix, Repeat, Unrelated};
    let added = |workload| results.added(workload, Sensor).map(|spread| spread.median);
    let share = results
        .spread(Mix, Condition::Nothing)
        .zip(added(Mix))
        .map(|(base, added)| 100.0 * added / base.median);
    vec![
        Goal::new(
            "unrelated open: added, as a multiple of the empty program's",
            2.5,
            "times",
            results.ratio(Unrelated, Sensor, Empty),
        ),
        Goal::new("unrelated open: added", 150.0, "ns", added(Unrelated)),
        Goal::new(
            "unrelated open: added, as a share of auditd's",
            0.25,
            "times",
            results.ratio(Unrelated, Sensor, Auditd),
        ),
        Goal::new("getppid: added", 15.0, "ns", added(Getppid)),
        Goal::new("credential, first use: added", 3000.0, "ns", added(FirstUse)),
        Goal::new("credential, repeat: added", 400.0, "ns", added(Repeat)),
        Goal::new("cargo check: added", 1.0, "%", share),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_goal_is_met_by_a_value_only() {
        assert!(Goal::new("x", 1.0, "ns", Some(1.0)).met);
        assert!(!Goal::new("x", 1.0, "ns", Some(1.1)).met);
        assert!(!Goal::new("x", 1.0, "ns", None).met, "not measured is not met");
    }

    #[test]
    fn the_sensors_share_of_a_mix_is_in_percent() {
        let mut results = Results::default();
        results.add(Workload::Mix, Condition::Nothing, 2.0e9);
        results.add(Workload::Mix, Condition::Sensor, 2.04e9);
        let goals = judge(&results);
        let mix = goals.last().expect("the last");
        assert!(
            !mix.met && mix.value.is_some_and(|value| (value - 2.0).abs() < 1e-9),
            "{mix:?}"
        );
    }
}
