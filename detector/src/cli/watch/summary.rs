//! What a watch showed, in one line.

use std::fmt;

use claviger_proto::v1::Finding;

/// How many findings' times are kept for the median; later ones only count.
const MOST: usize = 65_536;

#[derive(Debug, Default)]
pub(super) struct Summary {
    pub(super) events: u64,
    findings: u64,
    elapsed_us: Vec<u64>,
}

impl Summary {
    pub(super) fn add_finding(&mut self, finding: &Finding) {
        self.findings += 1;
        if self.elapsed_us.len() < MOST {
            self.elapsed_us.push(finding.elapsed_us);
        }
    }

    fn median_us(&self) -> Option<u64> {
        let mut sorted = self.elapsed_us.clone();
        sorted.sort_unstable();
        sorted.get(sorted.len() / 2).copied()
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plural = |count: u64, word: &str| format!("{count} {word}{}", if count == 1 { "" } else { "s" });
        write!(
            f,
            "{}, {}",
            plural(self.events, "event"),
            plural(self.findings, "finding")
        )?;
        match self.median_us() {
            Some(us) => write!(
                f,
                "; from the system call to the stored finding: {} ms (median)",
                us.div_ceil(1_000)
            ),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_says_how_much_and_how_long() {
        let mut summary = Summary {
            events: 1,
            ..Summary::default()
        };
        assert_eq!(summary.to_string(), "1 event, 0 findings");
        for elapsed_us in [9_000_000, 42_500, 1_000] {
            summary.add_finding(&Finding {
                elapsed_us,
                ..Finding::default()
            });
        }
        assert_eq!(
            summary.to_string(),
            "1 event, 3 findings; from the system call to the stored finding: 43 ms (median)"
        );
    }
}
