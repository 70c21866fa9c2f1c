//! A program that the sensor is compared with: installed, or unpacked somewhere with libraries of its own.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::child;

/// Where it is, and how it is started.
#[derive(Clone, Debug)]
pub(crate) struct Peer {
    program: PathBuf,
    libraries: Option<OsString>,
}

impl Peer {
    pub(crate) fn new(program: &Path, libraries: Option<&OsStr>) -> Self {
        Self {
            program: program.to_owned(),
            libraries: libraries.map(ToOwned::to_owned),
        }
    }

    pub(crate) fn command(&self) -> Command {
        self.finding_libraries(child::command(&self.program))
    }

    pub(crate) fn with_tracefs(&self) -> Command {
        self.finding_libraries(child::with_tracefs(&self.program))
    }

    fn finding_libraries(&self, mut command: Command) -> Command {
        if let Some(libraries) = &self.libraries {
            command.env("LD_LIBRARY_PATH", libraries);
        }
        command
    }
}
