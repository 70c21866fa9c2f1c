//! Doing what the plan says.

use std::env;
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use super::facts::LLVM_PREFIX;
use super::plan::{CargoProgram, Plan};
use crate::exit::{FAILED, Failure};
use crate::step;
use crate::workspace::Workspace;

/// Installs everything in the plan.
pub(super) fn install(workspace: &Workspace, plan: &Plan) -> anyhow::Result<()> {
    let steps = usize::from(plan.needs_packages()) + plan.programs.len();
    let mut done = 0;
    let mut label = |text: String| {
        done += 1;
        format!("[{done}/{steps}] {text}")
    };
    if plan.needs_packages() {
        packages(
            workspace,
            &label(format!("installing {}", plan.packages.join(" "))),
            &plan.packages,
        )?;
    }
    for program in &plan.programs {
        let label = label(format!(
            "compiling {} {} (about {} s)",
            program.name, program.version, program.seconds
        ));
        step::must(
            workspace,
            &label,
            &format!("install-{}", program.name),
            &mut cargo_install(workspace, program),
        )?;
    }
    Ok(())
}

fn packages(workspace: &Workspace, label: &str, packages: &[&str]) -> anyhow::Result<()> {
    if !unknown(packages).is_empty() {
        update(workspace)?;
        let unknown = unknown(packages);
        if !unknown.is_empty() {
            return Err(Failure::new(FAILED, unknown_packages(&unknown)).into());
        }
    }
    let install = || {
        let mut apt = apt("install");
        apt.args(["--yes", "--no-install-recommends"]).args(packages);
        apt
    };
    // Lists that are out of date name files that the mirror no longer has.
    if step::run(workspace, label, "apt-install", &mut install())?
        .status
        .success()
    {
        return Ok(());
    }
    update(workspace)?;
    step::must(workspace, label, "apt-install", &mut install()).map(drop)
}

/// Fetches apt's lists.
pub(crate) fn update(workspace: &Workspace) -> anyhow::Result<()> {
    step::must(
        workspace,
        "      fetching apt's lists",
        "apt-update",
        &mut apt("update"),
    )
    .map(drop)
}

fn apt(verb: &str) -> Command {
    let mut apt = Command::new("apt-get");
    apt.env("DEBIAN_FRONTEND", "noninteractive")
        .args(["-q", "-o", "Dpkg::Use-Pty=0", verb]);
    apt
}

/// Those that apt's lists do not hold.
fn unknown<'a>(packages: &[&'a str]) -> Vec<&'a str> {
    let known = |package: &str| {
        let mut show = Command::new("apt-cache");
        show.args(["show", "--no-all-versions", package]);
        show.stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success())
    };
    packages
        .iter()
        .copied()
        .filter(|package| !known(package))
        .collect()
}

fn unknown_packages(unknown: &[&str]) -> String {
    let mut text = format!(
        "apt knows no {}; on Debian 12 the compiler's packages come with the security updates: is the suite bookworm-security among apt's sources?",
        unknown.join(", ")
    );
    if unknown.contains(&"rustc-web") {
        text.push_str(" Instead: rustup toolchain install nightly --component rust-src");
    }
    if unknown.contains(&"llvm-22-dev") {
        text.push_str(" Without it: cargo install bpf-linker --version 0.13.0 --locked");
    }
    text
}

fn cargo_install(workspace: &Workspace, program: &CargoProgram) -> Command {
    let mut cargo = workspace.cargo();
    cargo
        .args(["install", "--locked", program.name, "--version", program.version])
        .args(program.arguments);
    if program.with_llvm {
        cargo
            .env("LLVM_PREFIX", LLVM_PREFIX)
            .env("PATH", path_with_llvm());
    }
    cargo
}

fn path_with_llvm() -> OsString {
    let path = env::var_os("PATH").unwrap_or_default();
    let directories = [PathBuf::from(LLVM_PREFIX).join("bin")]
        .into_iter()
        .chain(env::split_paths(&path));
    // Parts of a PATH that was split have no separator in them.
    env::join_paths(directories).unwrap_or(path.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_that_does_not_exist_comes_with_another_way() {
        assert!(unknown_packages(&["rustc-web"]).contains("rust-src"));
        assert!(!unknown_packages(&["gcc"]).contains("rust-src"));
    }

    #[test]
    fn the_linkers_llvm_comes_first() {
        let path = path_with_llvm();
        assert_eq!(
            env::split_paths(&path).next(),
            Some(PathBuf::from("/usr/lib/llvm-22/bin"))
        );
    }
}
