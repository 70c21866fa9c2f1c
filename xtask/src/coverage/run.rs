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
    /// Reads JSON lines.
    pub(super) fn parse(text: &str, is_vm: bool) -> anyhow::Result<Self> {
        let mut run: Option<Self> = None;
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
            let column = Column::of(&field("level")?, &release)?;
            let run = run.get_or_insert_with(|| Self {
                column: column.clone(),
                release,
                is_vm,
                results: Vec::new(),
            });
            anyhow::ensure!(run.column == column, "results of two columns in one run");
            run.results.push(WayResult {
                way: field("way")?,
                row: field("row")?,
                cell,
            });
        }
        run.context("no results")
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
        let text = [line("a", "lsm", ""), line("b", "lsm", "x|y")].join("\n");
        let run = Run::parse(&text, true).expect("results");
        assert_eq!(run.column.name(), "lsm 6.1");
        assert_eq!(run.results[1].cell, "seen: x/y");
        assert!(Run::parse("", true).is_err(), "nothing is no run");
        assert!(Run::parse("{}", true).is_err());
        assert!(Run::parse(&[line("a", "lsm", ""), line("b", "fentry", "")].join("\n"), true).is_err());
    }
}
