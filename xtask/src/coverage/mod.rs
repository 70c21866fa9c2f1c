//! `docs/coverage.md`: which way to a credential was seen on which kernel by which hook, written from test runs and never by hand.
//!
//! - A run of the tests leaves its results in `target/xtask/coverage/`, one file for this host and one for each boot of a VM.
//! - A test run compares the columns that it ran with the document and fails where they differ; `cargo xtask coverage --write` takes them over
//!   and keeps the other columns as they are.
//! - A VM is the same everywhere, so its column must be there and be equal. This host may be any: it is compared where the document has a
//!   column for its hook and series of kernels, and only in what it can do.

mod document;
mod run;

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Args;

use crate::workspace::Workspace;
use document::Document;
use run::Run;

/// The environment's name for the file that the tests write their results to.
pub(crate) const VARIABLE: &str = "CLAVIGER_COVERAGE";
/// The name of this host's results; any other is a VM's.
pub(crate) const THIS_HOST: &str = "this-host";
const DOCUMENT: &str = "docs/coverage.md";

/// Compare docs/coverage.md with what the last test runs gave, or write it.
///
/// The runs are those of `cargo xtask test` and `cargo xtask vm`. Columns of kernels that they did not run on stay as they are.
#[derive(Args)]
pub(crate) struct Options {
    /// Take over what the runs gave.
    #[arg(long)]
    write: bool,
}

pub(crate) fn run(workspace: &Workspace, options: &Options) -> anyhow::Result<ExitCode> {
    let mut names = Vec::new();
    let directory = directory(workspace)?;
    for entry in fs::read_dir(&directory).with_context(|| format!("reading {}", directory.display()))? {
        let entry = entry.with_context(|| format!("reading {}", directory.display()))?;
        let path = entry.path();
        names.extend(path.file_stem().map(|name| name.to_string_lossy().into_owned()));
    }
    anyhow::ensure!(
        !names.is_empty(),
        "no test has been run: run `cargo xtask test` or `cargo xtask vm`"
    );
    names.sort();
    if !options.write {
        return Ok(if holds(workspace, &names)? {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        });
    }
    let mut document = read(workspace)?;
    for run in runs(workspace, &names)? {
        document.take(&run);
    }
    let path = workspace.root().join(DOCUMENT);
    fs::write(&path, document.to_string()).with_context(|| format!("writing {}", path.display()))?;
    eprintln!("{DOCUMENT}: written from {}", names.join(", "));
    Ok(ExitCode::SUCCESS)
}

/// Where the results of a run go, with those of an earlier one removed.
pub(crate) fn place(workspace: &Workspace, name: &str) -> anyhow::Result<PathBuf> {
    let path = directory(workspace)?.join(format!("{name}.jsonl"));
    match fs::remove_file(&path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("removing {}", path.display()))
        }
        _ => Ok(path),
    }
}

/// Compares the runs of these names with the document, and says where they differ. A run that left nothing differs.
pub(crate) fn holds(workspace: &Workspace, names: &[String]) -> anyhow::Result<bool> {
    let path = workspace.root().join(DOCUMENT);
    let text = fs::read_to_string(&path).unwrap_or_default();
    let document = Document::parse(&text)?;
    let mut differences = Vec::new();
    if text.is_empty() {
        differences.push("is not there".to_owned());
    } else if document.to_string() != text {
        differences.push("it is not as it was written: a hand has been at it".to_owned());
    }
    for run in runs(workspace, names)? {
        differences.extend(document.differences(&run));
    }
    for difference in &differences {
        eprintln!("{DOCUMENT}: {difference}");
    }
    if !differences.is_empty() {
        eprintln!("{DOCUMENT}: if the run is right, `cargo xtask coverage --write` takes it over");
    }
    Ok(differences.is_empty())
}

fn directory(workspace: &Workspace) -> anyhow::Result<PathBuf> {
    workspace.scratch("xtask/coverage")
}

fn read(workspace: &Workspace) -> anyhow::Result<Document> {
    let text = fs::read_to_string(workspace.root().join(DOCUMENT)).unwrap_or_default();
    Document::parse(&text)
}

fn runs(workspace: &Workspace, names: &[String]) -> anyhow::Result<Vec<Run>> {
    let directory = directory(workspace)?;
    let read = |name: &String| {
        let path = directory.join(format!("{name}.jsonl"));
        let text = fs::read_to_string(&path)
            .with_context(|| format!("{name} gave no results: {} is not there", path.display()))?;
        Run::parse(&text, name != THIS_HOST).with_context(|| format!("reading {}", path.display()))
    };
    let runs: anyhow::Result<Vec<Vec<Run>>> = names.iter().map(read).collect();
    Ok(runs?.concat())
}
