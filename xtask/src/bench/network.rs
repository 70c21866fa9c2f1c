//! `bench network`: builds what it takes, and becomes the measuring program.

use std::os::unix::process::CommandExt as _;
use std::process::{Command, ExitCode};

use anyhow::Context as _;
use clap::Args;

use super::kernel::build_bench;
use crate::build::{self, Profile};
use crate::exit::{Failure, NOT_PERMITTED};
use crate::setup;
use crate::workspace::Workspace;

/// Measure what the sensor costs connections.
///
/// By this host's clock, on loopback, in rounds with and without the sensor: throughput of one long connection, requests and responses on a kept one, new TCP connections,
/// new TLS connections of which the first message is looked at; each as a multiple of what it takes without. Then 20,000 connections at once: what each takes of the
/// kernel's memory, and whether any is lost. Processes and probes are gone at the end, also after Ctrl-C.
#[derive(Args)]
pub(crate) struct Options {
    /// A first look, in a minute: its numbers prove nothing.
    #[arg(long)]
    quick: bool,
    /// Rounds, each with and without the sensor (default 9).
    #[arg(long)]
    rounds: Option<usize>,
    /// The hook that the sensor is to use for files: lsm, fentry or tracepoint (default).
    #[arg(long)]
    hook: Option<String>,
    /// One JSON object a line.
    #[arg(long)]
    json: bool,
    /// End with 1 when a goal is missed.
    #[arg(long)]
    check: bool,
}

pub(super) fn run(workspace: &Workspace, options: &Options) -> anyhow::Result<ExitCode> {
    if !setup::is_root() {
        let text = "measuring takes root: sudo -E env PATH=\"$PATH\" cargo xtask bench network";
        return Err(Failure::new(NOT_PERMITTED, text).into());
    }
    let programs = build::build(workspace, Profile::Release)?;
    let bench = build_bench(workspace)?;
    let mut command = Command::new(&bench);
    command
        .env("CLAVIGER_SENSOR_BIN", &programs.sensor)
        .env("CLAVIGER_DETECTOR_BIN", &programs.detector)
        .arg("network");
    for (given, name) in [
        (options.quick, "--quick"),
        (options.json, "--json"),
        (options.check, "--check"),
    ] {
        if given {
            command.arg(name);
        }
    }
    if let Some(hook) = &options.hook {
        command.arg("--hook").arg(hook);
    }
    if let Some(rounds) = options.rounds {
        command.arg("--rounds").arg(rounds.to_string());
    }
    // From here on this process is the program that measures: Ctrl-C is its own, and it puts everything back.
    Err(command.exec()).with_context(|| format!("starting {}", bench.display()))
}
