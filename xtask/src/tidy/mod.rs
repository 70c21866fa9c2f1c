//! What no compiler checks: who may import whom, where `unsafe` and aya may be, what a manifest must say, that documents name what exists.
//!
//! Rules are pure functions over the text of files; only this file and [`tree`] touch the disk.

mod banned;
mod crates;
mod dependencies;
mod documents;
mod lexer;
mod manifests;
mod rooms;
mod sources;
mod tree;

use std::fmt;
use std::process::ExitCode;

use clap::Args;

use crate::workspace::Workspace;
use tree::Tree;

/// Check what no compiler checks.
///
/// Edges between crates and between rooms, manifests, banned crates, unsafe code, sizes of files, links and named tests in documents.
#[derive(Args)]
pub(crate) struct Options {}

pub(crate) fn run(workspace: &Workspace, _: &Options) -> anyhow::Result<ExitCode> {
    Ok(if passes(workspace)? {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Checks everything and prints what is wrong; whether all is well.
pub(crate) fn passes(workspace: &Workspace) -> anyhow::Result<bool> {
    let tree = Tree::read(workspace.root())?;
    let mut problems = Vec::new();
    for rule in [
        rooms::check,
        crates::check,
        dependencies::check,
        manifests::check,
        sources::check,
        banned::check,
        documents::check,
    ] {
        problems.extend(rule(&tree));
    }
    problems.sort_by(|a, b| (&a.file, a.line).cmp(&(&b.file, b.line)));
    for problem in &problems {
        println!("{problem}");
    }
    let errors = problems
        .iter()
        .filter(|problem| problem.level == Level::Error)
        .count();
    println!(
        "tidy: {} files, {errors} errors, {} warnings",
        tree.files().len(),
        problems.len() - errors
    );
    Ok(errors == 0)
}

/// How bad a problem is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Level {
    Warning,
    Error,
}

/// One thing that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Problem {
    level: Level,
    file: String,
    /// Counted from 1; 0 for the whole file.
    line: usize,
    text: String,
}

impl Problem {
    fn error(file: &str, line: usize, text: impl Into<String>) -> Self {
        Self {
            level: Level::Error,
            file: file.to_owned(),
            line,
            text: text.into(),
        }
    }

    fn warning(file: &str, line: usize, text: impl Into<String>) -> Self {
        Self {
            level: Level::Warning,
            file: file.to_owned(),
            line,
            text: text.into(),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let level = if self.level == Level::Error {
            "error"
        } else {
            "warning"
        };
        match self.line {
            0 => write!(f, "{level}: {}: {}", self.file, self.text),
            line => write!(f, "{level}: {}:{line}: {}", self.file, self.text),
        }
    }
}
