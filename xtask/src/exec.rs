//! The hidden verb through which `up` starts other programs: it does what must happen inside the new process, then becomes the program.
//!
//! Executing keeps the pid and the start time, so that whoever knows this process knows the program before it runs.

use std::env;
use std::ffi::{OsStr, OsString};
use std::io::Read as _;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::Context as _;
use clap::Args;
use rustix::process::{Pid, Signal, getppid, set_parent_process_death_signal};

use crate::workspace::Workspace;

/// Cargo has what it runs look for libraries in its own directories first. Another program is not to be started with that: it would not be run as it is
/// without xtask, and no usual reader is believed by it.
const LIBRARY_PATH: &str = "LD_LIBRARY_PATH";

/// Become another program.
#[derive(Args)]
pub(crate) struct Options {
    /// End with this parent: SIGTERM comes when it dies, however it dies.
    #[arg(long, value_name = "PID")]
    with_parent: Option<i32>,
    /// First connect to this socket and wait for a byte.
    #[arg(long, value_name = "SOCKET")]
    gate: Option<PathBuf>,
    /// The program and its arguments.
    #[arg(last = true, required = true, value_name = "COMMAND")]
    command: Vec<OsString>,
}

pub(crate) fn run(options: &Options) -> anyhow::Result<ExitCode> {
    if let Some(parent) = options.with_parent {
        set_parent_process_death_signal(Some(Signal::TERM))
            .context("asking for the parent's death signal")?;
        if getppid().map(Pid::as_raw_pid) != Some(parent) {
            // It died before the signal was asked for.
            return Ok(ExitCode::FAILURE);
        }
    }
    if let Some(gate) = &options.gate {
        let mut gate =
            UnixStream::connect(gate).with_context(|| format!("connecting to {}", gate.display()))?;
        if gate.read_exact(&mut [0]).is_err() {
            // Closed without a word: the command is not to run.
            return Ok(ExitCode::FAILURE);
        }
    }
    let (program, arguments) = options.command.split_first().context("no command")?;
    let mut command = Command::new(program);
    command.args(arguments);
    if let Some(path) = env::var_os(LIBRARY_PATH) {
        match without_cargos(&path, &cargos_directories()) {
            Some(path) => command.env(LIBRARY_PATH, path),
            None => command.env_remove(LIBRARY_PATH),
        };
    }
    let error = command.exec();
    eprintln!("{}: {error}", program.display());
    // As a shell: 127 for a program that is not there, 126 for one that cannot be run.
    Ok(ExitCode::from(if error.kind() == std::io::ErrorKind::NotFound {
        127
    } else {
        126
    }))
}

/// Where cargo and rustup keep libraries.
fn cargos_directories() -> Vec<PathBuf> {
    let target = Workspace::find().target().to_owned();
    let rustup = env::var_os("RUSTUP_HOME").map(PathBuf::from);
    let home = env::var_os("HOME").map(|home| Path::new(&home).join(".rustup"));
    [Some(target), rustup.or(home)].into_iter().flatten().collect()
}

/// A path for libraries without those directories; nothing where no other is left.
fn without_cargos(path: &OsStr, cargos: &[PathBuf]) -> Option<OsString> {
    let is_cargos = |directory: &PathBuf| cargos.iter().any(|cargo| directory.starts_with(cargo));
    let left: Vec<PathBuf> = env::split_paths(path)
        .filter(|directory| !is_cargos(directory) && !directory.as_os_str().is_empty())
        .collect();
    // What was split at colons has none.
    env::join_paths(left).ok().filter(|left| !left.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_cargos_libraries_are_taken_out() {
        let cargos = ["/work/target", "/root/.rustup"].map(PathBuf::from);
        for (path, expected) in [
            (
                "/work/target/debug/deps:/work/target/debug:/root/.rustup/toolchains/x/lib",
                None,
            ),
            ("/work/target/debug:/opt/own/lib", Some("/opt/own/lib")),
            ("/opt/a:/opt/b", Some("/opt/a:/opt/b")),
            ("", None),
        ] {
            let left = without_cargos(OsStr::new(path), &cargos);
            assert_eq!(left.as_deref(), expected.map(OsStr::new), "{path}");
        }
    }
}
