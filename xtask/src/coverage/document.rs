//! The document: a table of ways by columns, from its text and back. Pure.

use std::collections::BTreeMap;
use std::fmt;

use anyhow::Context as _;

use super::run::{CANNOT_RUN, Column, Run, WayResult};

const HEAD: &str = "\
# What was seen, on which kernel, by which hook

Written by `cargo xtask coverage --write` from runs of the tests, never by hand; `cargo xtask test` fails where a run gives something else.
What each level must see stands in [coverage-required.md](coverage-required.md). Each way is done once, by a small program on a decoy
([how](../tests/src/ways/mod.rs)).

- **seen**: exactly one event, of the process that did it, with object, operation and outcome as they must be
- **not yet**: not built
- **cannot**: not to be seen by this hook; the required table links the decision that says why
- **not reported**: it is no use of a credential, and no event was made of it
- **cannot run here**: the kernel or machine of this column has no such way

";
const NO_USE: &str = "no use";
const NOT_RUN: &str = "not run";
const RELEASES: &str = "Releases: ";

#[derive(Clone, Debug, PartialEq, Eq)]
struct Line {
    way: String,
    row: String,
    cells: BTreeMap<Column, String>,
}

/// The whole of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Document {
    /// With the release that each was last run on.
    columns: BTreeMap<Column, String>,
    lines: Vec<Line>,
}

impl Document {
    /// Reads it; an empty text is an empty document.
    pub(super) fn parse(text: &str) -> anyhow::Result<Self> {
        let mut document = Self::default();
        let mut order = Vec::new();
        let mut row = String::new();
        for line in text.lines() {
            if let Some(releases) = line.strip_prefix(RELEASES) {
                for one in releases.trim_end_matches('.').split("; ") {
                    let (column, release) = one
                        .split_once(" is ")
                        .with_context(|| format!("{one:?} is no release"))?;
                    document
                        .columns
                        .insert(Column::parse(column)?, release.to_owned());
                }
            }
            let Some(inside) = line.strip_prefix("| ").and_then(|rest| rest.strip_suffix(" |")) else {
                continue;
            };
            let mut cells = inside.split(" | ");
            let (Some(way), Some(asked)) = (cells.next(), cells.next()) else {
                anyhow::bail!("{line:?} has too few columns");
            };
            if way == "way" {
                order = cells.map(Column::parse).collect::<anyhow::Result<_>>()?;
            } else if !way.starts_with("---") {
                if asked != "\"" {
                    asked.clone_into(&mut row);
                }
                document.lines.push(Line {
                    way: way.trim_matches('`').to_owned(),
                    row: row.clone(),
                    cells: order.iter().cloned().zip(cells.map(str::to_owned)).collect(),
                });
            }
        }
        Ok(document)
    }

    /// Takes a run's column over. Its ways are all ways there are.
    pub(super) fn take(&mut self, run: &Run) {
        self.columns.insert(run.column.clone(), run.release.clone());
        let mut before: BTreeMap<_, _> = self.lines.drain(..).map(|line| (line.way, line.cells)).collect();
        for result in &run.results {
            let mut cells = before.remove(&result.way).unwrap_or_default();
            cells.insert(run.column.clone(), result.cell.clone());
            self.lines.push(Line {
                way: result.way.clone(),
                row: row_of(result).to_owned(),
                cells,
            });
        }
    }

    /// Where a run differs.
    pub(super) fn differences(&self, run: &Run) -> Vec<String> {
        let column = &run.column;
        if !self.columns.contains_key(column) {
            // Not every machine that this runs on can have a column.
            return if run.is_vm {
                vec![format!("has no column for {}", column.name())]
            } else {
                Vec::new()
            };
        }
        let mut differences = Vec::new();
        for result in &run.results {
            let known = self.lines.iter().find(|line| line.way == result.way);
            let cell = known
                .and_then(|line| line.cells.get(column))
                .map_or(NOT_RUN, String::as_str);
            let tells_of_machine = cell.starts_with(CANNOT_RUN) || result.cell.starts_with(CANNOT_RUN);
            if cell != result.cell && (run.is_vm || !tells_of_machine) {
                differences.push(format!(
                    "{} on {}: the document says {cell:?}, the run gave {:?}",
                    result.way,
                    column.name(),
                    result.cell
                ));
            }
            if known.is_some_and(|line| line.row != row_of(result)) {
                differences.push(format!("{}: asked for by another row now", result.way));
            }
        }
        for line in &self.lines {
            if run.results.iter().all(|result| result.way != line.way) {
                differences.push(format!("{}: the run has no such way", line.way));
            }
        }
        differences
    }
}

fn row_of(result: &WayResult) -> &str {
    if result.row.is_empty() {
        NO_USE
    } else {
        &result.row
    }
}

impl fmt::Display for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(HEAD)?;
        let releases: Vec<_> = self
            .columns
            .iter()
            .map(|(column, release)| format!("{} is {release}", column.name()))
            .collect();
        writeln!(f, "{RELEASES}{}.\n", releases.join("; "))?;
        let names: Vec<_> = self.columns.keys().map(Column::name).collect();
        writeln!(f, "| way | asked for by | {} |", names.join(" | "))?;
        writeln!(f, "| --- | --- |{}", " --- |".repeat(names.len()))?;
        let mut last = "";
        for line in &self.lines {
            let row = if line.row == last { "\"" } else { &line.row };
            last = &line.row;
            let cells: Vec<_> = self
                .columns
                .keys()
                .map(|column| line.cells.get(column).map_or(NOT_RUN, String::as_str))
                .collect();
            writeln!(f, "| `{}` | {row} | {} |", line.way, cells.join(" | "))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(column: &str, is_vm: bool, cells: &[(&str, &str)]) -> Run {
        let result = |(way, cell): &(&str, &str)| WayResult {
            way: (*way).to_owned(),
            row: if *way == "stat" { "" } else { "`open`, or so" }.to_owned(),
            cell: (*cell).to_owned(),
        };
        Run {
            column: Column::parse(column).expect("a column"),
            release: "6.1.0-56".to_owned(),
            is_vm,
            results: cells.iter().map(result).collect(),
        }
    }

    fn document() -> Document {
        let mut document = Document::default();
        document.take(&run(
            "lsm 6.1",
            true,
            &[("open", "seen"), ("creat", "not yet"), ("stat", "not reported")],
        ));
        document.take(&run(
            "tracepoint 6.18",
            false,
            &[
                ("open", "seen"),
                ("creat", "cannot run here: no"),
                ("stat", "not reported"),
            ],
        ));
        document
    }

    #[test]
    fn what_is_written_is_read_again() {
        let text = document().to_string();
        assert_eq!(Document::parse(&text).expect("parses"), document(), "{text}");
        assert!(
            text.contains("| `creat` | \" | not yet | cannot run here: no |\n"),
            "{text}"
        );
    }

    #[test]
    fn a_column_that_was_not_run_is_kept() {
        let mut document = document();
        document.take(&run(
            "lsm 6.1",
            true,
            &[("open", "seen"), ("creat", "seen"), ("link", "seen")],
        ));
        let text = document.to_string();
        assert!(
            text.contains("| `creat` | \" | seen | cannot run here: no |\n"),
            "{text}"
        );
        assert!(text.contains("| `link` | \" | seen | not run |\n"), "{text}");
        assert!(!text.contains("`stat`"), "a way that is gone goes: {text}");
    }

    #[test]
    fn a_run_that_gives_something_else_is_told() {
        let document = document();
        let same = [("open", "seen"), ("creat", "not yet"), ("stat", "not reported")];
        assert_eq!(document.differences(&run("lsm 6.1", true, &same)), [""; 0]);
        let mut other = same;
        other[1].1 = "seen";
        assert_eq!(document.differences(&run("lsm 6.1", true, &other)).len(), 1);
        other[1].1 = "cannot run here: no";
        assert_eq!(
            document.differences(&run("lsm 6.1", true, &other)).len(),
            1,
            "a VM can do the same everywhere"
        );
        assert_eq!(document.differences(&run("lsm 6.1", true, &same[..2])).len(), 1);
        assert_eq!(
            document.differences(&run("lsm 6.12", true, &same)).len(),
            1,
            "no column"
        );
    }

    #[test]
    fn another_host_is_compared_in_what_it_can_do() {
        let document = document();
        let there = |cell| [("open", "seen"), ("creat", cell), ("stat", "not reported")];
        assert_eq!(
            document.differences(&run("tracepoint 6.18", false, &there("seen"))),
            [""; 0]
        );
        assert_eq!(
            document.differences(&run("lsm 6.17", false, &there("seen"))),
            [""; 0]
        );
        let mut missed = there("seen");
        missed[0].1 = "not yet";
        assert_eq!(
            document
                .differences(&run("tracepoint 6.18", false, &missed))
                .len(),
            1
        );
    }
}
