//! Results for people, and as one JSON object a line.

use serde_json::json;

use crate::condition::Condition;
use crate::goals::{Goal, Verdict};
use crate::hook::Hook;
use crate::results::Results;
use crate::statistics::Spread;
use crate::workload::Workload;

/// `{"result": …}` for each workload and condition, then `{"goal": …}` for each goal.
pub(crate) fn json(results: &Results, goals: &[Goal]) -> anyhow::Result<()> {
    for (workload, condition, spread) in each(results) {
        let added = results.added(workload, condition);
        println!(
            "{}",
            json!({"result": {
                "workload": workload.name(),
                "condition": condition.name(),
                "ns": spread,
                "added_ns": added,
                "added_to_empty": results.ratio(workload, condition, Condition::Empty),
                "added_to_auditd": results.ratio(workload, condition, Condition::Auditd),
            }})
        );
    }
    for goal in goals {
        println!("{}", json!({"goal": serde_json::to_value(goal)?}));
    }
    Ok(())
}

/// A table.
pub(crate) fn text(results: &Results, goals: &[Goal], hook: Hook) {
    println!(
        "By the clock of this host (cargo check: CPU time), files seen by {hook}; medians over rounds, and where the middle half of what is added lies.\n"
    );
    println!(
        "{:<24}{:<20}{:>12}{:>12}{:>26}{:>10}{:>10}",
        "workload", "with", "in all", "added", "middle half", "/ empty", "/ auditd"
    );
    for (workload, condition, spread) in each(results) {
        let added = results.added(workload, condition);
        let ratio = |other| {
            results
                .ratio(workload, condition, other)
                .map_or_else(String::new, |ratio| format!("{ratio:.2}"))
        };
        println!(
            "{:<24}{:<20}{:>12}{:>12}{:>26}{:>10}{:>10}",
            if condition == Condition::Nothing {
                workload.name()
            } else {
                ""
            },
            condition.name(),
            time(spread.median),
            added.map_or_else(String::new, |added| time(added.median)),
            added.map_or_else(String::new, |added| format!(
                "{} to {}",
                time(added.first_quartile),
                time(added.third_quartile)
            )),
            ratio(Condition::Empty),
            ratio(Condition::Auditd),
        );
    }
    println!();
    for goal in goals {
        let value = goal.value.map_or_else(
            || "not measured, or within noise".to_owned(),
            |value| format!("{value:.2} {}", goal.unit),
        );
        println!(
            "{:<9}{:<64}{value} (at most {} {})",
            match goal.verdict {
                Verdict::Met => "met",
                Verdict::Missed => "MISSED",
                Verdict::Unclear => "unclear",
                Verdict::Unknown => "unknown",
            },
            goal.goal,
            goal.at_most,
            goal.unit
        );
    }
}

fn each(results: &Results) -> impl Iterator<Item = (Workload, Condition, Spread)> {
    Workload::ALL
        .into_iter()
        .flat_map(|workload| Condition::ALL.map(|condition| (workload, condition)))
        .filter_map(|(workload, condition)| Some((workload, condition, results.spread(workload, condition)?)))
}

/// With a unit that keeps it short.
fn time(ns: f64) -> String {
    match ns.abs() {
        size if size < 10_000.0 => format!("{ns:.0} ns"),
        size if size < 1.0e7 => format!("{:.1} µs", ns / 1e3),
        _ => format!("{:.1} ms", ns / 1e6),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_a_unit_that_fits() {
        assert_eq!(time(94.2), "94 ns");
        assert_eq!(time(-12.0), "-12 ns");
        assert_eq!(time(64_000.0), "64.0 µs");
        assert_eq!(time(2.5e9), "2500.0 ms");
    }
}
