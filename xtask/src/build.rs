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
    let directory = workspace.target().join(if profile == Profile::Release {
        "release"
    } else {
        "debug"
    });
    Ok(Programs {
        sensor: directory.join("claviger-sensor"),
        detector: directory.join("claviger-detector"),
    })
}
