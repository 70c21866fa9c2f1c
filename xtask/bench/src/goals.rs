//! What the sensor may cost on the tracepoint hooks, and whether it does. Pure.

use serde::Serialize;

use crate::condition::Condition;
use crate::results::Results;
use crate::statistics::Spread;
use crate::workload::Workload;

/// How a goal came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Verdict {
    Met,
    Missed,
    /// The limit lies within the middle half of the rounds: too much noise to tell, or too few rounds.
    Unclear,
    /// Not measured, or not against anything that is more than noise.
    Unknown,
}

/// One goal beside what was measured.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Goal {
    pub(crate) goal: &'static str,
    pub(crate) at_most: f64,
    pub(crate) unit: &'static str,
    /// The median.
    pub(crate) value: Option<f64>,
    pub(crate) verdict: Verdict,
}

impl Goal {
    /// Of a value and where the middle half of its rounds lies.
    fn of(goal: &'static str, at_most: f64, unit: &'static str, value: Option<Spread>) -> Self {
        let verdict = match value {
            None => Verdict::Unknown,
            Some(value) if value.third_quartile <= at_most => Verdict::Met,
            Some(value) if value.first_quartile > at_most => Verdict::Missed,
            Some(_) => Verdict::Unclear,
        };
        Self {
            goal,
            at_most,
            unit,
            value: value.map(|value| value.median),
            verdict,
        }
    }

    pub(crate) fn is_missed(&self) -> bool {
        self.verdict == Verdict::Missed
    }
}

/// All goals that a clock can judge.
pub(crate) fn judge(results: &Results) -> Vec<Goal> {
    use Condition::{Auditd, Empty, Sensor};
    use Workload::{FirstUse, Getppid, Mix, Repeat, Unrelated};
    let added = |workload| results.added(workload, Sensor);
    // What is added, in a unit of another kind.
    let scaled = |spread: Spread, unit: f64| Spread {
        median: spread.median / unit,
        first_quartile: spread.first_quartile / unit,
        third_quartile: spread.third_quartile / unit,
        ..spread
    };
    let to = |other| {
        let unit = results
            .added(Unrelated, other)
            .filter(|unit| unit.first_quartile > 0.0)?;
        Some(scaled(added(Unrelated)?, unit.median))
    };
    let share = results
        .spread(Mix, Condition::Nothing)
        .zip(added(Mix))
        .map(|(base, added)| scaled(added, base.median / 100.0));
    vec![
        Goal::of(
            "unrelated open: added, as a multiple of the empty program's",
            2.5,
            "times",
            to(Empty),
        ),
        Goal::of("unrelated open: added", 150.0, "ns", added(Unrelated)),
        Goal::of(
            "unrelated open: added, as a share of auditd's",
            0.25,
            "times",
            to(Auditd),
        ),
        Goal::of("getppid: added", 15.0, "ns", added(Getppid)),
        Goal::of("credential, first use: added", 3000.0, "ns", added(FirstUse)),
        Goal::of("credential, repeat: added", 400.0, "ns", added(Repeat)),
        Goal::of("cargo check: added", 1.0, "%", share),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_goal_is_met_or_missed_by_the_whole_middle_half() {
        let verdict = |first_quartile, third_quartile| {
            let spread = Spread {
                median: 1.0,
                first_quartile,
                third_quartile,
                values: 9,
            };
            Goal::of("x", 1.0, "ns", Some(spread)).verdict
        };
        assert_eq!(verdict(0.5, 1.0), Verdict::Met);
        assert_eq!(verdict(1.1, 1.2), Verdict::Missed);
        assert_eq!(verdict(0.9, 1.1), Verdict::Unclear);
        assert_eq!(Goal::of("x", 1.0, "ns", None).verdict, Verdict::Unknown);
    }

    #[test]
    fn the_sensors_share_of_a_mix_is_in_percent() {
        let mut results = Results::default();
        results.add_nothing(Workload::Mix, 2.0e9);
        results.add(Workload::Mix, Condition::Sensor, 2.04e9, 2.0e9, 2.0e9);
        let goals = judge(&results);
        let mix = goals.last().expect("the last");
        assert_eq!(mix.verdict, Verdict::Missed);
        assert!(
            mix.value.is_some_and(|value| (value - 2.0).abs() < 1e-9),
            "{mix:?}"
        );
    }
}
