//! Detector and sensor on this host, for a demonstration or to try things: started, joined, watched, stopped.
//!
//! - Every process started is stopped, in the order watch, sensor, detector, also after Ctrl-C, SIGTERM or a failure; should xtask itself
//!   be killed, they get SIGTERM from the kernel.
//! - Nothing outside `target/up/`, `/run/claviger*` and a `/home/demo` that was not there before is written; what `/home/demo` got is
//!   removed.
//! - Watching begins before the command runs, so that no event of it is missed.

mod command;
mod demo;
mod enrolment;
mod gate;
mod notify;
mod rundir;
mod service;
mod session;
mod signals;
mod watch;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use crate::build::{self, Profile};
use crate::exit::{Failure, NOT_PERMITTED};
use crate::setup;
use crate::workspace::Workspace;

/// Set up, build, and run detector and sensor on this host.
///
/// Without a command, events and findings of the whole host are shown until Ctrl-C. With one, it is run, its own events and findings are
/// shown, and all ends when they have been through detection, with the command's exit status. State is kept in target/up/.
#[derive(Args)]
pub(crate) struct Options {
    /// One JSON object a line on standard output, {"event":…} or {"finding":…}; the command's own output goes to standard error.
    #[arg(long)]
    json: bool,
    /// Write the JSON lines to this file; standard output stays the command's.
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Compile without optimisation: sooner ready the first time.
    #[arg(long)]
    debug: bool,
    /// A command to watch, with its arguments.
    #[arg(last = true, value_name = "COMMAND")]
    command: Vec<OsString>,
}

pub(crate) fn run(workspace: &Workspace, options: &Options) -> anyhow::Result<ExitCode> {
    if !setup::is_root() {
        let text = "watching a host takes root: sudo -E env PATH=\"$PATH\" cargo xtask up";
        return Err(Failure::new(NOT_PERMITTED, text).into());
    }
    let profile = if options.debug {
        Profile::Dev
    } else {
        Profile::Release
    };
    let programs = build::build(workspace, profile)?;
    session::run(workspace, &programs, options)
}
