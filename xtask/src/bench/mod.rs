//! What the sensor costs.
//!
//! - The measuring is done by a program of its own (`xtask/bench/`), which this room builds and starts, here or in VMs.
//! - What it is compared with is fetched by apt and unpacked under the target directory, never installed: no daemon starts, none stays.
//! - Counts of instructions are recorded in `recorded.toml`, so that a rise shows in review. Times never are: they are this machine's.

mod counts;
mod instructions;
mod kernel;
mod network;
mod peers;
mod recorded;
mod summary;

use std::process::ExitCode;

use clap::{Args, Subcommand};

use crate::workspace::Workspace;

/// Measure what the sensor costs.
#[derive(Args)]
pub(crate) struct Options {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    Kernel(kernel::Options),
    Network(network::Options),
}

pub(crate) fn run(workspace: &Workspace, options: &Options) -> anyhow::Result<ExitCode> {
    match &options.what {
        What::Kernel(options) => kernel::run(workspace, options),
        What::Network(options) => network::run(workspace, options),
    }
}
