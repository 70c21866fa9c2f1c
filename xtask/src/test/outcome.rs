//! What came of a step.

/// Counts of one line of the table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Outcome {
    pub(super) name: String,
    pub(super) passed: usize,
    pub(super) failed: usize,
    /// Which failed, and why, as far as that is known.
    pub(super) failures: Vec<String>,
}

impl Outcome {
    /// For a step that either holds or does not.
    pub(super) fn check(name: &str, passed: bool) -> Self {
        Self {
            name: name.to_owned(),
            passed: usize::from(passed),
            failed: usize::from(!passed),
            failures: Vec::new(),
        }
    }

    /// For a runner: its counts, where a failure that they do not explain is one more.
    pub(super) fn counted(name: &str, (passed, failed): (usize, usize), success: bool) -> Self {
        let failed = if success { failed } else { failed.max(1) };
        Self {
            name: name.to_owned(),
            passed,
            failed,
            failures: Vec::new(),
        }
    }
}

/// Each failure whose name is known, a line each, below the step in which it was.
pub(super) fn failures(outcomes: &[Outcome]) -> Option<String> {
    let mut lines = Vec::new();
    for outcome in outcomes.iter().filter(|outcome| !outcome.failures.is_empty()) {
        lines.push(format!("failed, {}:", outcome.name));
        lines.extend(outcome.failures.iter().map(|failure| format!("  {failure}")));
    }
    (!lines.is_empty()).then(|| lines.join("\n"))
}

/// All of them, aligned.
pub(super) fn table(outcomes: &[Outcome]) -> String {
    let width = outcomes
        .iter()
        .map(|outcome| outcome.name.len())
        .max()
        .unwrap_or_default();
    let line = |outcome: &Outcome| {
        let verdict = if outcome.failed == 0 { "ok" } else { "FAILED" };
        format!(
            "{:width$}  {:>6} passed  {:>4} failed  {verdict}",
            outcome.name, outcome.passed, outcome.failed
        )
    };
    outcomes.iter().map(line).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_without_a_name_counts() {
        assert_eq!(Outcome::counted("x", (3, 0), false).failed, 1);
        assert_eq!(Outcome::counted("x", (3, 2), false).failed, 2);
        assert_eq!(Outcome::counted("x", (3, 0), true).failed, 0);
    }

    #[test]
    fn failures_are_told_by_name() {
        let mut vm = Outcome::check("vm", false);
        vm.failures = vec!["a: b".into()];
        assert_eq!(failures(&[Outcome::check("x", false)]), None);
        let told = failures(&[Outcome::check("x", true), vm]);
        assert_eq!(told.as_deref(), Some("failed, vm:\n  a: b"));
    }

    #[test]
    fn the_table_tells_which_failed() {
        let table = table(&[Outcome::check("format", true), Outcome::check("tidy", false)]);
        let failed: Vec<_> = table.lines().filter(|line| line.ends_with("FAILED")).collect();
        assert!(
            matches!(failed[..], [line] if line.starts_with("tidy")),
            "{table}"
        );
    }
}
