//! `bench kernel`: chooses the way of measuring, builds what it takes, and becomes the measuring program where that runs here.

use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Command, ExitCode};

use anyhow::Context as _;
use clap::{Args, ValueEnum};

use super::{instructions, peers};
use crate::build::{self, Profile, Programs};
use crate::exit::{Failure, NOT_PERMITTED};
use crate::setup;
use crate::step;
use crate::vm::Series;
use crate::workspace::Workspace;

/// Measure what the kernel half costs whoever is watched.
///
/// By this host's clock, in rounds: nothing attached, an empty program on the same hook, the sensor with 10,000 labelled decoys and a
/// connected detector, auditd with rules for seven of them, and bpftrace's open snooper; each under (a) opening an unrelated file, (b) getppid, (c)
/// opening a credential for the first time and again, (d) running a program, (e) cargo checking a small crate. Goals are printed beside the
/// results. Audit rules and settings, probes and processes are gone at the end, also after Ctrl-C.
///
/// With --instructions, in VMs on Debian's 6.1 and 6.12 whose clock counts instructions: exact, the same on every machine, and compared with
/// what is recorded. With --flood: 20,000 first uses a second, an overload, and the recovery from it.
#[derive(Args)]
pub(crate) struct Options {
    /// Count instructions in VMs instead.
    #[arg(long, conflicts_with_all = ["flood", "quick", "rounds", "hook"])]
    instructions: bool,
    /// With --instructions: only this kernel.
    #[arg(long, value_enum, requires = "instructions")]
    kernel: Option<Kernel>,
    /// With --instructions: record the counts (xtask/src/bench/recorded.toml) instead of comparing with them.
    #[arg(long, requires = "instructions")]
    record: bool,
    /// Flood the sensor instead.
    #[arg(long)]
    flood: bool,
    /// A first look, in a minute: its numbers prove nothing.
    #[arg(long)]
    quick: bool,
    /// Rounds, each with every condition (default 9).
    #[arg(long, conflicts_with = "flood")]
    rounds: Option<usize>,
    /// The hook that the sensor is to use: lsm, fentry or tracepoint (default).
    #[arg(long)]
    hook: Option<String>,
    /// One JSON object a line.
    #[arg(long)]
    json: bool,
    /// End with 1 when a goal is missed, or a count rose.
    #[arg(long)]
    check: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Kernel {
    #[value(name = "6.1")]
    V6_1,
    #[value(name = "6.12")]
    V6_12,
}

pub(super) fn run(workspace: &Workspace, options: &Options) -> anyhow::Result<ExitCode> {
    if !options.instructions && !setup::is_root() {
        let text = "measuring takes root: sudo -E env PATH=\"$PATH\" cargo xtask bench kernel";
        return Err(Failure::new(NOT_PERMITTED, text).into());
    }
    let programs = build::build(workspace, Profile::Release)?;
    let bench = build_bench(workspace)?;
    if options.instructions {
        let series: &[Series] = match options.kernel {
            Some(Kernel::V6_1) => &[Series::V6_1],
            Some(Kernel::V6_12) => &[Series::V6_12],
            None => &Series::ALL,
        };
        let how = instructions::How {
            record: options.record,
            json: options.json,
            check: options.check,
        };
        return instructions::run(workspace, series, programs, bench, how);
    }
    let mut command = command(&programs, &bench, options);
    if !options.flood {
        peers::hand_over(workspace, &mut command)?;
    }
    // From here on this process is the program that measures: Ctrl-C is its own, and it puts everything back.
    Err(command.exec()).with_context(|| format!("starting {}", bench.display()))
}

pub(super) fn build_bench(workspace: &Workspace) -> anyhow::Result<PathBuf> {
    let mut cargo = workspace.cargo();
    cargo.args(["build", "--release", "--locked", "--package", "claviger-bench"]);
    step::must(workspace, "compiling claviger-bench", "build-bench", &mut cargo)?;
    Ok(workspace.target().join("release/claviger-bench"))
}

fn command(programs: &Programs, bench: &PathBuf, options: &Options) -> Command {
    let mut command = Command::new(bench);
    command
        .env("CLAVIGER_SENSOR_BIN", &programs.sensor)
        .env("CLAVIGER_DETECTOR_BIN", &programs.detector)
        .arg(if options.flood { "flood" } else { "clock" });
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
    command
}
