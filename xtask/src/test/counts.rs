//! Counts of passed and failed cases, read from what the runners print. Pure.

/// nextest's last summary: `Summary [ 1.2s] 8 tests run: 6 passed (1 slow), 1 failed, 1 timed out, 2 skipped`.
pub(super) fn nextest(log: &str) -> Option<(usize, usize)> {
    let (_, summary) = log
        .lines()
        .rev()
        .find(|line| line.trim_start().starts_with("Summary ["))?
        .split_once("run: ")?;
    let mut counts = (0, 0);
    for part in without_parentheses(summary).split(',') {
        let (number, word) = part.trim().split_once(' ')?;
        let number: usize = number.parse().ok()?;
        match word.trim() {
            "passed" => counts.0 += number,
            "failed" | "timed out" | "exec failed" => counts.1 += number,
            _ => {}
        }
    }
    Some(counts)
}

/// libtest's summaries, added up: `test result: ok. 5 passed; 0 failed; …`.
pub(super) fn libtest(log: &str) -> (usize, usize) {
    let mut counts = (0, 0);
    for line in log.lines() {
        let Some((_, parts)) = line
            .split_once("test result: ")
            .and_then(|(_, rest)| rest.split_once(". "))
        else {
            continue;
        };
        for part in parts.split(';') {
            match part.trim().split_once(' ') {
                Some((number, "passed")) => counts.0 += number.parse().unwrap_or(0),
                Some((number, "failed")) => counts.1 += number.parse().unwrap_or(0),
                _ => {}
            }
        }
    }
    counts
}

fn without_parentheses(text: &str) -> String {
    let mut depth = 0_usize;
    let keep = |c: &char| {
        match c {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ => return depth == 0,
        }
        false
    };
    text.chars().filter(keep).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nextests_summary_is_read() {
        let log = "   PASS [ 0.1s] a\n     Summary [   0.012s] 8 tests run: 6 passed (1 slow, 1 flaky), 1 failed, 1 timed out, 2 skipped\n";
        assert_eq!(nextest(log), Some((6, 2)));
        assert_eq!(
            nextest("     Summary [   0.012s] 3 tests run: 3 passed, 0 skipped\n"),
            Some((3, 0))
        );
        assert_eq!(
            nextest(
                "     Summary [ 0.1s] 3/9 tests run: 2 passed, 1 exec failed, 0 skipped\nerror: test run failed\n"
            ),
            Some((2, 1))
        );
        assert_eq!(nextest("error: could not compile"), None);
    }

    #[test]
    fn libtests_summaries_are_added_up() {
        let log = "test result: ok. 5 passed; 0 failed; 1 ignored\nx\ntest result: FAILED. 1 passed; 2 failed; 0 ignored\n";
        assert_eq!(libtest(log), (6, 2));
        assert_eq!(libtest("error: could not compile"), (0, 0));
    }
}
