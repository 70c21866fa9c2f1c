//! The steps that either hold or do not.

use std::process::Command;

use anyhow::Context as _;
use claviger_ebpf_build::{Compiler, TARGET, cargo, find_toolchain};

use super::outcome::Outcome;
use crate::build::build_with_tests;
use crate::setup::DEBIAN_CLIPPY;
use crate::step;
use crate::tidy;
use crate::workspace::{Workspace, find_program};

/// Runs a command that must succeed; shows the end of its output when it does not.
fn check(workspace: &Workspace, label: &str, log: &str, command: &mut Command) -> anyhow::Result<Outcome> {
    let ended = step::run(workspace, label, log, command)?;
    if !ended.status.success() {
        ended.show();
    }
    Ok(Outcome::check(label, ended.status.success()))
}

pub(super) fn format(workspace: &Workspace, _: bool) -> anyhow::Result<Vec<Outcome>> {
    let mut outcomes = Vec::new();
    for (label, manifest) in [
        ("format", "Cargo.toml"),
        ("format of the kernel half", "sensor-ebpf/Cargo.toml"),
        ("format of the fuzz targets", "tests/fuzz/Cargo.toml"),
        ("format of the empty programs", "xtask/bench/empty/Cargo.toml"),
    ] {
        let mut fmt = workspace.cargo();
        fmt.args(["fmt", "--check", "--manifest-path", manifest]);
        if manifest == "Cargo.toml" {
            fmt.arg("--all");
        }
        fmt.args(["--", "--color", "never"]);
        outcomes.push(check(workspace, label, &label.replace(' ', "-"), &mut fmt)?);
    }
    Ok(outcomes)
}

/// The tests, and the programs that they run.
pub(super) fn build(workspace: &Workspace, _: bool) -> anyhow::Result<Vec<Outcome>> {
    build_with_tests(workspace)?;
    Ok(vec![Outcome::check("build", true)])
}

pub(super) fn clippy(workspace: &Workspace) -> anyhow::Result<Outcome> {
    let mut clippy = workspace.cargo_at_leisure();
    clippy.args([
        "clippy",
        "--workspace",
        "--all-targets",
        "--locked",
        "--",
        "-D",
        "warnings",
    ]);
    check(workspace, "clippy", "clippy", &mut clippy)
}

/// clippy must be of the compiler that has `core` for BPF; a prebuilt one is driven as `cargo clippy` does it.
pub(super) fn clippy_of_kernel_half(workspace: &Workspace, _: bool) -> anyhow::Result<Vec<Outcome>> {
    let toolchain = find_toolchain()?;
    let is_prebuilt = matches!(toolchain.compiler, Compiler::Prebuilt { .. });
    let mut clippy = cargo(&toolchain, if is_prebuilt { "check" } else { "clippy" });
    clippy.current_dir(workspace.root().join("sensor-ebpf"));
    clippy.args(["--release", "--locked", "--target", TARGET]);
    clippy
        .arg("--target-dir")
        .arg(workspace.target().join("ebpf-clippy"));
    if is_prebuilt {
        clippy
            .env("RUSTC_WORKSPACE_WRAPPER", DEBIAN_CLIPPY)
            .env("CLIPPY_ARGS", "-Dwarnings__CLIPPY_HACKERY__");
    } else {
        clippy.args(["--", "-D", "warnings"]);
    }
    Ok(vec![check(
        workspace,
        "clippy of the kernel half",
        "clippy-kernel-half",
        &mut clippy,
    )?])
}

pub(super) fn tidy(workspace: &Workspace, _: bool) -> anyhow::Result<Vec<Outcome>> {
    Ok(vec![Outcome::check("tidy", tidy::passes(workspace)?)])
}

/// Bans, licences and sources. Not the advisories: they come from a repository that a machine without internet does not reach.
pub(super) fn dependencies(workspace: &Workspace, _: bool) -> anyhow::Result<Vec<Outcome>> {
    if find_program("cargo-deny").is_none() {
        eprintln!(
            "dependencies: left out, for cargo-deny is not installed (cargo install cargo-deny --locked, some minutes)"
        );
        return Ok(Vec::new());
    }
    let mut deny = workspace.cargo();
    deny.args(["deny", "check", "bans", "licenses", "sources"]);
    Ok(vec![
        check(workspace, "dependencies", "deny", &mut deny).context("running cargo-deny")?,
    ])
}
