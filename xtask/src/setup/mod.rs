//! What the other verbs need from the machine, found or installed.
//!
//! - Nothing is installed before it has been named.
//! - Only apt, as root on Debian or Ubuntu, and `cargo install` change the machine. Elsewhere each missing thing is a line that says what
//!   to do. What pip brings stays below the target directory.
//! - What is there is left alone: a second run installs nothing and takes no time.

mod clients;
mod facts;
mod install;
mod plan;
mod unpacked;

use std::process::ExitCode;

use clap::Args;

use crate::exit::{FAILED, Failure};
use crate::workspace::Workspace;
use facts::Facts;
pub(crate) use facts::is_root;
pub(crate) use install::update;
pub(crate) use plan::{DEBIAN_CLIPPY, Need};

/// Find or install what building and testing need.
///
/// The compiler for the kernel half (Debian's rustc-web with its BPF target, or a rustup nightly with rust-src) and bpf-linker; with --vm
/// also what the VM tests need. On Debian and Ubuntu as root it installs what is missing; elsewhere it names it.
#[derive(Args)]
pub(crate) struct Options {
    /// Also what the VM tests need: QEMU.
    #[arg(long)]
    vm: bool,
    /// Also what `cargo xtask test` needs: QEMU, cargo-nextest, clippy for the kernel half.
    #[arg(long)]
    test: bool,
}

pub(crate) fn run(workspace: &Workspace, options: &Options) -> anyhow::Result<ExitCode> {
    let mut needs = vec![Need::KernelHalf];
    if options.vm || options.test {
        needs.push(Need::Vm);
    }
    if options.test {
        needs.push(Need::Tests);
    }
    if ensure(workspace, &needs)? == Changed::Nothing {
        eprintln!("everything is there");
    }
    Ok(ExitCode::SUCCESS)
}

/// Whether set-up had anything to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Changed {
    Nothing,
    Installed,
}

/// Makes sure that what is needed is there.
///
/// # Errors
/// Names what is missing and cannot be installed here, a line each.
pub(crate) fn ensure(workspace: &Workspace, needs: &[Need]) -> anyhow::Result<Changed> {
    let machine = ensure_machine(workspace, needs)?;
    let for_tests = needs.contains(&Need::Tests);
    let has_clients = for_tests && clients::ensure(workspace)?;
    let has_unpacked = for_tests && unpacked::ensure(workspace, Facts::gather().may_install_packages)?;
    Ok(if has_clients || has_unpacked {
        Changed::Installed
    } else {
        machine
    })
}

fn ensure_machine(workspace: &Workspace, needs: &[Need]) -> anyhow::Result<Changed> {
    let facts = Facts::gather();
    let plan = plan::plan(&facts, needs);
    if plan.is_empty() {
        return Ok(Changed::Nothing);
    }
    if !facts.may_install_packages && plan.needs_packages() {
        return Err(Failure::new(FAILED, plan.instructions(&facts)).into());
    }
    eprintln!("set-up installs {}", plan.announcement());
    install::install(workspace, &plan)?;
    let left = plan::plan(&Facts::gather(), needs);
    if left.is_empty() {
        return Ok(Changed::Installed);
    }
    let text = format!(
        "set-up installed everything and yet this is missing: {}",
        left.announcement()
    );
    Err(Failure::new(FAILED, text).into())
}
