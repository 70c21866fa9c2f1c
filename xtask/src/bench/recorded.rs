//! The record of counts, and what rose above it. Pure.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use anyhow::Context as _;
use toml::{Table, Value};

use super::counts::Counts;

/// A rise by more than this is told.
const TOLERANCE: f64 = 0.01;
/// Nor is one by less than this, which is where the kernel happens to put a program's code, or by less than twice what batches of the same loop
/// lie apart.
const LEAST: f64 = 16.0;

const HEADER: &str = "\
# Counted by `cargo xtask bench kernel --instructions --record`; compared without --record. The same on every machine, to 1 %.
# [KERNEL.instructions]: of a call with nothing attached, and what is added to it behind a hook by an empty program and by the sensor.
# [KERNEL.verified]: instructions that the verifier looked at, by the hook that files are seen by and the program.
# [KERNEL.translated_bytes]: size of the program after the verifier's rewriting. [KERNEL.map_bytes]: memory of all maps.
";

/// What is recorded, by kernel and kind.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Record {
    kernels: BTreeMap<String, BTreeMap<String, BTreeMap<String, f64>>>,
}

/// A number that is not as recorded.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Change {
    pub(super) kernel: String,
    pub(super) kind: String,
    pub(super) name: String,
    pub(super) recorded: Option<f64>,
    pub(super) now: Option<f64>,
}

impl Change {
    /// Whether it costs more than before.
    pub(super) fn is_rise(&self) -> bool {
        match (self.recorded, self.now) {
            (Some(recorded), Some(now)) => now > recorded,
            (None, Some(_)) => true,
            _ => false,
        }
    }
}

impl Record {
    pub(super) fn parse(text: &str) -> anyhow::Result<Self> {
        let table: Table = text.parse().context("the record is no TOML")?;
        let mut record = Self::default();
        for (kernel, kinds) in &table {
            for (kind, numbers) in kinds.as_table().context("a kernel is a table")? {
                for (name, number) in numbers.as_table().context("a kind is a table")? {
                    let number = match number {
                        #[expect(clippy::cast_precision_loss, reason = "counts are small")]
                        Value::Integer(number) => *number as f64,
                        Value::Float(number) => *number,
                        _ => anyhow::bail!("{kernel}.{kind}.{name} is no number"),
                    };
                    record.kind(kernel, kind).insert(name.clone(), number);
                }
            }
        }
        Ok(record)
    }

    fn kind(&mut self, kernel: &str, kind: &str) -> &mut BTreeMap<String, f64> {
        self.kernels
            .entry(kernel.to_owned())
            .or_default()
            .entry(kind.to_owned())
            .or_default()
    }

    /// Puts a kernel's counts in the place of those that were.
    pub(super) fn set(&mut self, kernel: &str, counts: &Counts) {
        self.kernels.remove(kernel);
        for (kind, numbers) in kinds(counts)
            .into_iter()
            .filter(|(_, numbers)| !numbers.is_empty())
        {
            // Whole numbers: below that is noise.
            let numbers = numbers
                .iter()
                .map(|(name, number)| (name.clone(), number.round()));
            *self.kind(kernel, kind) = numbers.collect();
        }
    }

    /// Whether there is anything to compare a kernel's counts with.
    pub(super) fn knows(&self, kernel: &str) -> bool {
        self.kernels.contains_key(kernel)
    }

    /// What is more than 1 % off, or new, or gone.
    pub(super) fn changes(&self, kernel: &str, counts: &Counts) -> Vec<Change> {
        let none = BTreeMap::new();
        let mut changes = Vec::new();
        for (kind, numbers) in kinds(counts) {
            let recorded = self
                .kernels
                .get(kernel)
                .and_then(|kinds| kinds.get(kind))
                .unwrap_or(&none);
            let mut names: Vec<_> = numbers.keys().chain(recorded.keys()).collect();
            names.sort();
            names.dedup();
            for name in names {
                let (was, is) = (recorded.get(name).copied(), numbers.get(name).copied());
                let apart = counts.apart.get(name).copied().unwrap_or_default();
                if !is_same(was, is, LEAST.max(2.0 * apart)) {
                    changes.push(Change {
                        kernel: kernel.to_owned(),
                        kind: kind.to_owned(),
                        name: name.clone(),
                        recorded: was,
                        now: is,
                    });
                }
            }
        }
        changes
    }

    /// As it stands in the tree.
    pub(super) fn to_text(&self) -> String {
        let mut text = HEADER.to_owned();
        for (kernel, kinds) in &self.kernels {
            for (kind, numbers) in kinds {
                // Writing to a string does not fail.
                let _ = writeln!(text, "\n[\"{kernel}\".{kind}]");
                for (name, number) in numbers {
                    let _ = writeln!(text, "\"{name}\" = {number}");
                }
            }
        }
        text
    }
}

fn kinds(counts: &Counts) -> [(&'static str, &BTreeMap<String, f64>); 4] {
    [
        ("instructions", &counts.instructions),
        ("verified", &counts.verified),
        ("translated_bytes", &counts.translated_bytes),
        ("map_bytes", &counts.map_bytes),
    ]
}

fn is_same(was: Option<f64>, is: Option<f64>, least: f64) -> bool {
    match (was, is) {
        (Some(was), Some(is)) => (is - was).abs() <= (TOLERANCE * was.abs()).max(least),
        (None, None) => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(value: f64) -> Counts {
        Counts {
            instructions: BTreeMap::from([("getppid.lsm.sensor".to_owned(), value)]),
            ..Counts::default()
        }
    }

    #[test]
    fn what_is_recorded_is_read_again() {
        let mut record = Record::default();
        record.set("6.1", &counts(1234.4));
        let read = Record::parse(&record.to_text()).expect("reads");
        assert_eq!(read, record);
        assert_eq!(read.changes("6.1", &counts(1234.4)), []);
    }

    #[test]
    fn a_rise_by_more_than_a_percent_is_told_and_one_by_less_is_not() {
        let mut record = Record::default();
        record.set("6.1", &counts(10_000.0));
        assert_eq!(record.changes("6.1", &counts(10_090.0)), []);
        let changes = record.changes("6.1", &counts(10_110.0));
        assert!(changes.len() == 1 && changes[0].is_rise(), "{changes:?}");
        let changes = record.changes("6.1", &counts(9_000.0));
        assert!(changes.len() == 1 && !changes[0].is_rise(), "{changes:?}");
    }

    #[test]
    fn what_is_not_as_exact_must_rise_by_more() {
        let mut record = Record::default();
        record.set("6.1", &counts(1000.0));
        let mut inexact = counts(1050.0);
        inexact.apart.insert("getppid.lsm.sensor".to_owned(), 30.0);
        assert_eq!(record.changes("6.1", &inexact), []);
        inexact.apart.insert("getppid.lsm.sensor".to_owned(), 20.0);
        assert_eq!(record.changes("6.1", &inexact).len(), 1);
    }

    #[test]
    fn what_is_new_is_a_rise_and_what_is_gone_is_told() {
        let record = Record::default();
        let changes = record.changes("6.1", &counts(1.0));
        assert!(changes.len() == 1 && changes[0].is_rise());
        let mut record = Record::default();
        record.set("6.1", &counts(1.0));
        let changes = record.changes("6.1", &Counts::default());
        assert!(changes.len() == 1 && !changes[0].is_rise());
    }
}
