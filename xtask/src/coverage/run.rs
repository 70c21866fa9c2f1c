//! What one run of the tests gave. Pure.

use anyhow::Context as _;
use serde_json::Value;

/// A hook level on a series of kernels: a column of the document.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Column {
    /// Place in the order of levels, then the series, by number.
    order: (usize, Vec<u32>),
    name: String,
}

const LEVELS: [&str; 3] = ["lsm", "fentry", "tracepoint"];

impl Column {
    /// From its heading, e.g. `fentry 6.12`.
    pub(super) fn parse(name: &str) -> anyhow::Result<Self> {
        let (level, series) = name
            .split_once(' ')
            .with_context(|| format!("{name:?} is no level and series"))?;
        let level = LEVELS
            .iter()
            .position(|known| *known == level)
            .with_context(|| format!("{level:?} is no level"))?;
        let numbers: Result<_, _> = series.split('.').map(str::parse).collect();
        Ok(Self {
            order: (
                level,
                numbers.with_context(|| format!("{series:?} is no series of kernels"))?,
            ),
            name: name.to_owned(),
        })
    }

    fn of(level: &str, release: &str) -> anyhow::Result<Self> {
        let series: Vec<_> = release.split(['.', '-']).take(2).collect();
        Self::parse(&format!("{level} {}", series.join(".")))
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }
}

/// What came of one way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct WayResult {
    pub(super) way: String,
    /// The row of docs/coverage-required.md; empty for what is no use.
    pub(super) row: String,
    /// As the document has it, e.g. `seen`.
    pub(super) cell: String,
}

/// The beginning of a cell that tells of a machine and not of the sensor.
pub(super) const CANNOT_RUN: &str = "cannot run here";

#[derive(Clone, Debug)]
pub(super) struct Run {
    pub(super) column: Column,
    /// The kernel's release.
    pub(super) release: String,
    pub(super) is_vm: bool,
    pub(super) results: Vec<WayResult>,
}

impl Run {
    /// Reads JSON lines, of one or more columns. What was tried again counts as it came out last.
    pub(super) fn parse(text: &str, is_vm: bool) -> anyhow::Result<Vec<Self>> {
        let mut runs: Vec<Self> = Vec::new();
        for line in text.lines() {
            let value: Value =
                serde_json::from_str(line).with_context(|| format!("{line:?} is no result"))?;
            let field = |name: &str| {
                value[name]
                    .as_str()
                    .map(str::to_owned)
                    .with_context(|| format!("{line:?} has no {name}"))
            };
            let (release, why) = (field("kernel")?, field("why")?);
            let mut cell = field("result")?;
            if !why.is_empty() {
                cell = format!("{cell}: {}", why.replace('|', "/"));
            }
            let result = WayResult {
                way: field("way")?,
                row: field("row")?,
                cell,
            };
            let column = Column::of(&field("level")?, &release)?;
            let at = runs.iter().position(|run| run.column == column);
            let at = at.unwrap_or_else(|| {
                runs.push(Self {
                    column,
                    release,
                    is_vm,
                    results: Vec::new(),
                });
                runs.len() - 1
            });
            let results = &mut runs[at].results;
            match results.iter_mut().find(|before| before.way == result.way) {
                Some(before) => *before = result,
                None => results.push(result),
            }
        }
        anyhow::ensure!(!runs.is_empty(), "no results");
        Ok(runs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_stand_by_level_and_then_by_number() {
        let mut names: Vec<_> = ["tracepoint 6.18", "lsm 6.12", "fentry 6.1", "lsm 6.1"]
            .map(|name| Column::parse(name).expect("a column"))
            .into();
        names.sort();
        let names: Vec<_> = names.iter().map(Column::name).collect();
        assert_eq!(names, ["lsm 6.1", "lsm 6.12", "fentry 6.1", "tracepoint 6.18"]);
        assert!(Column::parse("kprobe 6.1").is_err());
        assert!(Column::parse("lsm six").is_err());
    }

    #[test]
    fn results_are_read() {
        let line = |way: &str, level: &str, why: &str| {
            format!(
                r#"{{"way":"{way}","row":"r","level":"{level}","kernel":"6.1.0-56-cloud-amd64","result":"seen","why":"{why}"}}"#
            )
        };
        let text = [
            line("a", "lsm", ""),
            line("b", "lsm", "z"),
            line("a", "fentry", ""),
            line("b", "lsm", "x|y"),
        ]
        .join("\n");
        let runs = Run::parse(&text, true).expect("results");
        let columns: Vec<_> = runs.iter().map(|run| run.column.name()).collect();
        assert_eq!(columns, ["lsm 6.1", "fentry 6.1"]);
        assert_eq!(runs[0].results.len(), 2);
        assert_eq!(runs[0].results[1].cell, "seen: x/y");
        assert!(Run::parse("", true).is_err(), "nothing is no run");
        assert!(Run::parse("{}", true).is_err());
    }
}
