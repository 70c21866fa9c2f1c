//! The hidden verb through which `up` starts other programs: it does what must happen inside the new process, then becomes the program.
//!
//! Executing keeps the pid and the start time, so that whoever knows this process knows the program before it runs.

use std::ffi::OsString;
use std::io::Read as _;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Command, ExitCode};

use anyhow::Context as _;
use clap::Args;
use rustix::process::{Pid, Signal, getppid, set_parent_process_death_signal};

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
    let error = Command::new(program).args(arguments).exec();
    eprintln!("{}: {error}", program.display());
    // As a shell: 127 for a program that is not there, 126 for one that cannot be run.
    Ok(ExitCode::from(if error.kind() == std::io::ErrorKind::NotFound {
        127
    } else {
        126
    }))
}
