//! Counts for people: a table for each kernel, and the goals that instructions judge. Pure.

use std::fmt::Write as _;

use super::counts::Counts;

const WORKLOADS: [&str; 5] = [
    "open_unrelated",
    "getppid",
    "open_credential_first",
    "open_credential_repeat",
    "fork_exec_exit",
];
const HOOKS: [&str; 3] = ["lsm", "fentry", "tracepoint"];
/// What the sensor may add to an unrelated open, as a multiple of what an empty program adds, on the tracepoint.
const MOST_TIMES_EMPTY: f64 = 2.5;

/// The goal, and what was counted.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Goal {
    /// Nothing where it was not counted.
    pub(super) times_empty: Option<f64>,
}

impl Goal {
    pub(super) const AT_MOST: f64 = MOST_TIMES_EMPTY;

    pub(super) fn of(counts: &Counts) -> Self {
        Self {
            times_empty: times_empty(counts, "open_unrelated", "tracepoint"),
        }
    }

    pub(super) fn is_met(self) -> bool {
        self.times_empty.is_some_and(|times| times <= MOST_TIMES_EMPTY)
    }
}

fn times_empty(counts: &Counts, workload: &str, hook: &str) -> Option<f64> {
    let added = |condition: &str| counts.instructions.get(&format!("{workload}.{hook}.{condition}"));
    let empty = added("empty_program").filter(|added| **added > 0.0)?;
    Some(added("sensor")? / empty)
}

/// A table of one kernel's counts.
pub(super) fn table(kernel: &str, counts: &Counts) -> String {
    let mut text = format!(
        "linux {kernel}: instructions of a call, and what is added behind each hook\n{:<24}{:>12}",
        "workload", "nothing"
    );
    // Writing to a string does not fail.
    for hook in HOOKS {
        let _ = write!(text, "{:>28}", format!("{hook}: empty, sensor"));
    }
    text.push('\n');
    for workload in WORKLOADS {
        let number = |name: String| {
            counts
                .instructions
                .get(&name)
                .map_or_else(|| "-".to_owned(), |number| format!("{number:.0}"))
        };
        let _ = write!(
            text,
            "{workload:<24}{:>12}",
            number(format!("{workload}.nothing"))
        );
        for hook in HOOKS {
            let pair = format!(
                "{}, {}{}",
                number(format!("{workload}.{hook}.empty_program")),
                number(format!("{workload}.{hook}.sensor")),
                times_empty(counts, workload, hook)
                    .map_or_else(String::new, |times| format!(" ({times:.1}x)"))
            );
            let _ = write!(text, "{pair:>28}");
        }
        text.push('\n');
    }
    text.push_str("verified instructions and size of each program\n");
    for (name, verified) in &counts.verified {
        let bytes = counts.translated_bytes.get(name).copied().unwrap_or_default();
        let _ = writeln!(text, "  {name:<32}{verified:>10}{bytes:>10} bytes");
    }
    if !counts.process_shares.is_empty() {
        text.push_str("of a fork, exec and exit, each program's share of the instructions\n");
    }
    for (name, instructions) in &counts.process_shares {
        let _ = writeln!(text, "  {name:<32}{instructions:>10.0}");
    }
    for (hook, bytes) in &counts.map_bytes {
        let _ = writeln!(text, "  maps, files seen by {hook:<12}{:>16.1} MB", bytes / 1e6);
    }
    text
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn counts(sensor: f64) -> Counts {
        let numbers = [
            ("open_unrelated.nothing", 5439.0),
            ("open_unrelated.tracepoint.empty_program", 400.0),
            ("open_unrelated.tracepoint.sensor", sensor),
        ];
        Counts {
            instructions: numbers.map(|(name, number)| (name.to_owned(), number)).into(),
            verified: BTreeMap::from([("lsm.lsm_file_open".to_owned(), 812.0)]),
            process_shares: BTreeMap::from([("lsm.process_exec".to_owned(), 31_415.0)]),
            ..Counts::default()
        }
    }

    #[test]
    fn the_goal_is_judged_by_what_is_added() {
        assert!(Goal::of(&counts(1000.0)).is_met());
        assert!(!Goal::of(&counts(1001.0)).is_met());
        assert!(!Goal::of(&Counts::default()).is_met(), "not counted is not met");
    }

    #[test]
    fn a_table_shows_what_was_counted_and_what_was_not() {
        let table = table("6.1", &counts(1000.0));
        assert!(table.contains("400, 1000 (2.5x)"), "{table}");
        assert!(table.contains("-, -"), "{table}");
        assert!(table.contains("lsm.lsm_file_open"), "{table}");
        assert!(table.contains("31415"), "{table}");
    }
}
