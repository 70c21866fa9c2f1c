//! The two programs, compiled.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use crate::setup::{self, Need};
use crate::step;
use crate::workspace::Workspace;

/// Compile claviger-sensor, with the kernel half inside it, and claviger-detector.
///
/// Installs the toolchain first where it is missing (see setup).
#[derive(Args)]
pub(crate) struct Options {
    /// With optimisation, as shipped.
    #[arg(long)]
    release: bool,
}

pub(crate) fn run(workspace: &Workspace, options: &Options) -> anyhow::Result<ExitCode> {
    let profile = if options.release {
        Profile::Release
    } else {
        Profile::Dev
    };
    let programs = build(workspace, profile)?;
    println!("{}\n{}", programs.sensor.display(), programs.detector.display());
    Ok(ExitCode::SUCCESS)
}

/// How it is compiled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Profile {
    Dev,
    Release,
}

/// Where the programs are.
#[derive(Clone, Debug)]
pub(crate) struct Programs {
    pub(crate) sensor: PathBuf,
    pub(crate) detector: PathBuf,
}

/// Installs what is missing, then compiles both programs.
pub(crate) fn build(workspace: &Workspace, profile: Profile) -> anyhow::Result<Programs> {
    setup::ensure(workspace, &[Need::KernelHalf])?;
    let mut cargo = workspace.cargo();
    cargo.args([
        "build",
        "--locked",
        "--package",
        "claviger-sensor",
        "--package",
        "claviger-detector",
    ]);
    cargo.args(["--bin", "claviger-sensor", "--bin", "claviger-detector"]);
    if profile == Profile::Release {
        cargo.arg("--release");
    }
    let label = "compiling claviger-sensor and claviger-detector (minutes the first time, then seconds)";
    step::must(workspace, label, "build", &mut cargo)?;
    Ok(programs(workspace, profile))
}

/// Compiles everything there is, with all tests. Gives both programs, and the log with cargo's messages.
///
/// What is asked for by itself is given other features of what it shares with the rest, and compiled anew. So whoever runs tests compiles by this.
pub(crate) fn build_with_tests(workspace: &Workspace) -> anyhow::Result<(Programs, PathBuf)> {
    setup::ensure(workspace, &[Need::KernelHalf])?;
    let mut cargo = workspace.cargo();
    cargo.args(["test", "--no-run", "--workspace", "--locked"]);
    cargo.args(["--message-format", "json-render-diagnostics"]);
    let label = "compiling everything, with all tests (minutes the first time)";
    let ended = step::must(workspace, label, "build-with-tests", &mut cargo)?;
    Ok((programs(workspace, Profile::Dev), ended.log))
}

/// Where cargo puts them.
fn programs(workspace: &Workspace, profile: Profile) -> Programs {
    let directory = workspace.target().join(if profile == Profile::Release {
        "release"
    } else {
        "debug"
    });
    Programs {
        sensor: directory.join("claviger-sensor"),
        detector: directory.join("claviger-detector"),
    }
}
