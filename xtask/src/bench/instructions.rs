//! Counting in VMs, and comparing with the record.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use serde_json::json;

use super::counts::Counts;
use super::recorded::{Change, Record};
use super::summary::{Goal, table};
use crate::build::Programs;
use crate::vm::{self, Series};
use crate::workspace::Workspace;

const RECORD: &str = "xtask/src/bench/recorded.toml";
/// Where the VM's init looks for what to run.
const NAME: &str = "claviger-bench";

/// What to do with the counts.
#[derive(Clone, Copy, Debug)]
pub(super) struct How {
    pub(super) record: bool,
    pub(super) json: bool,
    pub(super) check: bool,
}

pub(super) fn run(
    workspace: &Workspace,
    series: &[Series],
    programs: Programs,
    bench: PathBuf,
    how: How,
) -> anyhow::Result<ExitCode> {
    let path = workspace.root().join(RECORD);
    let mut record = read(&path)?;
    let mut well = true;
    let mut doubtful = false;
    for (series, log) in vm::count(workspace, series, programs, NAME, bench)? {
        let kernel = series.to_string();
        let counts = Counts::read(&log)?;
        let changes = if record.knows(&kernel) {
            record.changes(&kernel, &counts)
        } else {
            eprintln!("nothing is recorded for linux {kernel}; --record does that");
            Vec::new()
        };
        let goal = Goal::of(&counts);
        tell(&kernel, &counts, goal, &changes, how);
        doubtful |= !counts.doubts.is_empty();
        well &= goal.is_met() && (how.record || !changes.iter().any(Change::is_rise));
        record.set(&kernel, &counts);
    }
    if how.record {
        fs::write(&path, record.to_text()).with_context(|| format!("writing {}", path.display()))?;
        eprintln!("recorded in {RECORD}");
    }
    Ok(if how.check && (!well || doubtful) {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

/// No record yet is an empty one.
fn read(path: &Path) -> anyhow::Result<Record> {
    match fs::read_to_string(path) {
        Ok(text) => Record::parse(&text).with_context(|| format!("reading {}", path.display())),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Record::default()),
        Err(error) => Err(error).with_context(|| format!("reading {}", path.display())),
    }
}

fn tell(kernel: &str, counts: &Counts, goal: Goal, changes: &[Change], how: How) {
    if how.json {
        println!(
            "{}",
            json!({"counts": {
                "kernel": kernel, "instructions": counts.instructions, "verified": counts.verified,
                "translated_bytes": counts.translated_bytes, "map_bytes": counts.map_bytes, "doubts": counts.doubts,
            }})
        );
        println!(
            "{}",
            json!({"goal": {
                "kernel": kernel, "goal": "unrelated open by tracepoint: added, as a multiple of the empty program's",
                "at_most": Goal::AT_MOST, "value": goal.times_empty, "met": goal.is_met(),
            }})
        );
        for change in changes {
            println!(
                "{}",
                json!({"change": {
                    "kernel": change.kernel, "kind": change.kind, "name": change.name, "recorded": change.recorded,
                    "now": change.now, "rise": change.is_rise(),
                }})
            );
        }
        return;
    }
    println!("{}", table(kernel, counts));
    println!(
        "{:<8}unrelated open by tracepoint: adds {} times what the empty program adds (at most {})\n",
        if goal.is_met() { "met" } else { "MISSED" },
        goal.times_empty
            .map_or_else(|| "?".to_owned(), |times| format!("{times:.2}")),
        Goal::AT_MOST
    );
    for doubt in &counts.doubts {
        println!("doubt   {doubt}");
    }
    if !how.record {
        for change in changes {
            let number = |number: Option<f64>| {
                number.map_or_else(|| "nothing".to_owned(), |number| format!("{number:.0}"))
            };
            println!(
                "{:<8}{} {}: {} recorded, {} now",
                if change.is_rise() { "ROSE" } else { "fell" },
                change.kind,
                change.name,
                number(change.recorded),
                number(change.now)
            );
        }
    }
}
