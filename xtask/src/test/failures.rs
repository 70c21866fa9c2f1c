//! Which tests failed and why, a line each, read from what the runner prints. Pure.

/// As nextest tells behind its last summary, with what each one's own thread said as it panicked.
pub(super) fn nextest(log: &str) -> Vec<String> {
    let lines: Vec<_> = log.lines().map(str::trim).collect();
    let summary = lines.iter().rposition(|line| line.starts_with("Summary ["));
    let mut told: Vec<String> = Vec::new();
    for line in summary.map_or(&[][..], |at| &lines[at + 1..]) {
        // `FAIL [ 0.012s] (1/1) a-binary a::test`, `TRY 2 FAIL [ …`, `TIMEOUT [ …`
        let Some((how, rest)) = line.split_once(" [") else {
            continue;
        };
        let Some((_, name)) = rest.split_once(") ") else {
            continue;
        };
        let one = format!("{name}: {}", why(&lines, name).unwrap_or_else(|| how.to_owned()));
        if !told.contains(&one) {
            told.push(one);
        }
    }
    told
}

/// Where the test with this name panicked last, and the first line of what it said.
fn why(lines: &[&str], name: &str) -> Option<String> {
    let (_, test) = name.rsplit_once(' ')?;
    let thread = format!("thread '{test}' ");
    let at = lines
        .iter()
        .rposition(|line| line.starts_with(&thread) && line.contains("panicked at "))?;
    let (_, place) = lines[at].split_once("panicked at ")?;
    Some(format!("{place} {}", lines.get(at + 1)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: &str = "
        PASS [   0.004s] (1/3) a::b fine
  TRY 1 FAIL [   0.012s] (2/3) a::b c::bad
    thread 'c::bad' (17) panicked at a/c.rs:1:2:
    assertion failed: x
    thread 'other' (18) panicked at elsewhere:
    no
     Summary [   0.1s] 3 tests run: 1 passed, 1 failed, 1 timed out, 0 skipped
        FAIL [   0.012s] (2/3) a::b c::bad
     TIMEOUT [ 300.000s] (3/3) a::b hangs
error: test run failed
";

    #[test]
    fn each_failure_is_told_once_with_what_its_thread_said() {
        assert_eq!(
            nextest(LOG),
            [
                "a::b c::bad: a/c.rs:1:2: assertion failed: x",
                "a::b hangs: TIMEOUT"
            ]
        );
        let cut = LOG.split("Summary").next().expect("a part");
        assert!(nextest(cut).is_empty());
    }
}
