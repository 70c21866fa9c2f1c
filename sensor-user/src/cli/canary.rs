//! A program that ends at once: the sensor starts itself as one to see whether the process probes work, and whether a file that is labelled is told
//! when another program opens it.

use std::{ffi::OsString, path::PathBuf, process::ExitCode};

/// The hidden command.
pub(super) const COMMAND: &str = "canary";

/// End at once
#[derive(Debug, clap::Args)]
pub(super) struct Canary {
    /// A file to open before
    file: Option<PathBuf>,
}

impl Canary {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        if let Some(file) = self.file {
            drop(std::fs::File::open(file)?);
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// How to start it.
pub(super) fn command() -> Vec<OsString> {
    vec!["/proc/self/exe".into(), COMMAND.into()]
}
