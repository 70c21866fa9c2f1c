//! What a VM said: the summaries of its test binaries and the init's own lines. Pure.
//!
//! The init prints `claviger-vm: NAME exit N` behind each binary, `claviger-vm: coverage JSON` for each way to a credential, and
//! `claviger-vm: verdict ok|failed` at its end. The kernel may write into any line, so a line is looked at from the first word that is known.

/// What came of one boot.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Report {
    /// Test cases that passed.
    pub(crate) passed: usize,
    /// Names of those that did not.
    pub(crate) failures: Vec<String>,
    /// What else went wrong, each counted as a failure.
    pub(crate) trouble: Vec<String>,
    /// What the failing cases printed.
    pub(crate) output: String,
    /// What the ways to a credential gave, one JSON object a line.
    pub(crate) coverage: String,
}

impl Report {
    pub(crate) fn failed(&self) -> usize {
        self.failures.len() + self.trouble.len()
    }

    /// For a boot that failed: what failed, and what it printed.
    pub(crate) fn explanation(&self) -> String {
        let failures = self.failures.iter().map(|name| format!("failed: {name}"));
        let lines: Vec<_> = failures
            .chain(self.trouble.iter().cloned())
            .chain([self.output.clone()])
            .collect();
        lines.join("\n")
    }
}

const MARK: &str = "claviger-vm: ";

/// Reads a whole serial log.
pub(super) fn read(log: &str) -> Report {
    let mut report = Report::default();
    let mut counted = (0, 0);
    let mut summaries = 0;
    let mut verdict = false;
    let mut prints = false;
    for line in log.lines().map(|line| line.trim_end_matches('\r')) {
        // libtest prints `---- NAME stdout ----` before each case's output, and `failures:` with the names behind the last.
        prints = line.starts_with("---- ") || (prints && line != "failures:" && !line.contains(MARK));
        if prints {
            report.output.extend([line, "\n"]);
            continue;
        }
        if let Some((passed, failed)) = summary(line) {
            report.passed += passed;
            counted = (counted.0 + passed, failed);
            summaries += 1;
        } else if let Some(name) = failure(line) {
            report.failures.push(name.to_owned());
        } else if let Some((_, said)) = line.split_once(MARK) {
            if let Some((name, code)) = said.split_once(" exit ") {
                // libtest exits with 101 when a case failed; anything else is a binary that did not end as it should.
                let explained = code == "0" || (code == "101" && counted.1 > 0);
                if !explained || summaries == 0 {
                    report
                        .trouble
                        .push(format!("{name} ended with {code}, {summaries} test summaries"));
                }
                summaries = 0;
                counted.1 = 0;
            } else if let Some(result) = said.strip_prefix("coverage ") {
                report.coverage.extend([result, "\n"]);
            } else if said.starts_with("verdict") {
                verdict = true;
            } else {
                report.trouble.push(said.to_owned());
            }
        }
    }
    if !verdict {
        report.trouble.push("the VM ended without a verdict".to_owned());
    } else if report.passed == 0 && report.failures.is_empty() {
        report.trouble.push("no test ran".to_owned());
    }
    report
}

/// `test result: ok. 5 passed; 0 failed; …`
fn summary(line: &str) -> Option<(usize, usize)> {
    let (_, rest) = line.split_once("test result: ")?;
    let count = |word: &str| {
        rest.split_once(word)?
            .0
            .trim_end()
            .rsplit([' ', ';'])
            .next()?
            .parse()
            .ok()
    };
    Some((count("passed")?, count("failed;")?))
}

/// `test NAME ... FAILED`
fn failure(line: &str) -> Option<&str> {
    line.strip_suffix(" ... FAILED")?
        .rsplit_once("test ")
        .map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "test reads ... ok\r\n\
        test result: ok. 2 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1.2s\r\n\
        claviger-vm: open exit 0\r\n\
        test result: ok. 1 passed; 0 failed; 0 ignored\r\n\
        claviger-vm: gap exit 0\r\n\
        claviger-vm: verdict ok\r\n";

    #[test]
    fn a_good_boot_is_counted() {
        let report = read(GOOD);
        assert_eq!((report.passed, report.failed()), (3, 0), "{report:?}");
    }

    #[test]
    fn a_failing_case_is_named_and_counted_once() {
        let log = "test a ... ok\ntest b ... FAILED\ntest result: FAILED. 1 passed; 1 failed; 0 ignored\n\
                   claviger-vm: open exit 101\nclaviger-vm: verdict failed\n";
        let report = read(log);
        assert_eq!(report.passed, 1);
        assert_eq!(report.failures, ["b"]);
        assert!(report.trouble.is_empty(), "{report:?}");
    }

    #[test]
    fn what_a_failing_case_printed_is_kept() {
        let log = "test b ... FAILED\r\n\r\nfailures:\r\n\r\n---- b stdout ----\r\nit broke\r\n\r\nfailures:\r\n    b\r\n\
                   test result: FAILED. 0 passed; 1 failed;\r\nclaviger-vm: open exit 101\r\nclaviger-vm: verdict failed\r\n";
        let report = read(log);
        assert_eq!(report.failed(), 1, "{report:?}");
        assert!(report.explanation().contains("it broke") && !report.explanation().contains("verdict"));
    }

    #[test]
    fn a_boot_that_breaks_off_has_failed() {
        let (cut, _) = GOOD.split_once("claviger-vm: verdict").expect("a verdict");
        assert_eq!(read(cut).failed(), 1);
        assert_eq!(read("").failed(), 1);
    }

    #[test]
    fn a_binary_that_crashes_has_failed() {
        let log = "claviger-vm: open exit 139\nclaviger-vm: verdict failed\n";
        assert!(read(log).failed() >= 1);
        // With a summary and a code that the summary does not explain.
        let log =
            "test result: ok. 1 passed; 0 failed;\nclaviger-vm: open exit 134\nclaviger-vm: verdict failed\n";
        assert_eq!(read(log).failed(), 1);
    }

    #[test]
    fn results_of_ways_are_kept_as_they_are() {
        let report = read(&format!("claviger-vm: coverage {{\"way\":\"open\"}}\r\n{GOOD}"));
        assert_eq!(
            (report.failed(), report.coverage.as_str()),
            (0, "{\"way\":\"open\"}\n")
        );
    }

    #[test]
    fn a_boot_without_tests_has_failed() {
        assert_eq!(read("claviger-vm: verdict ok\n").failed(), 1);
    }

    #[test]
    fn what_the_init_complains_of_is_a_failure() {
        assert_eq!(
            read(&format!("claviger-vm: mounting /proc: no\n{GOOD}")).failed(),
            1
        );
    }

    #[test]
    fn a_line_that_the_kernel_wrote_into_is_understood() {
        let log = GOOD.replace("claviger-vm: open", "[    3.1] bpf: warning claviger-vm: open");
        assert_eq!(read(&log).failed(), 0);
    }
}
