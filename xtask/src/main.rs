//! Everything that is not the product, as `cargo xtask VERB`.
//!
//! Rooms, in order of import: setup, build, up, coverage, vm, bench, tidy, test, exec; shelf: exit, process, side_by_side, step, workspace
//!
//! - A bare machine is enough: a verb installs what it lacks, after saying so, or names it in a line each.
//! - A verb that starts processes ends them, also when it is interrupted.
//! - What a command printed is in `target/xtask/logs/`, whether it failed or not.

mod bench;
mod build;
mod coverage;
mod exec;
mod exit;
mod process;
mod setup;
mod side_by_side;
mod step;
mod test;
mod tidy;
mod up;
mod vm;
mod workspace;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::workspace::Workspace;

/// Everything that is not the product: set-up, build, demo, tests.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", version, after_help = exit::HELP)]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    Setup(setup::Options),
    Build(build::Options),
    Up(up::Options),
    Test(test::Options),
    Vm(vm::Options),
    Bench(bench::Options),
    Coverage(coverage::Options),
    Tidy(tidy::Options),
    #[command(hide = true)]
    Exec(exec::Options),
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    run(cli.verb).unwrap_or_else(|error| exit::report(&error))
}

fn run(verb: Verb) -> anyhow::Result<ExitCode> {
    let workspace = Workspace::find();
    match verb {
        Verb::Setup(options) => setup::run(&workspace, &options),
        Verb::Build(options) => build::run(&workspace, &options),
        Verb::Up(options) => up::run(&workspace, &options),
        Verb::Test(options) => test::run(&workspace, &options),
        Verb::Vm(options) => vm::run(&workspace, &options),
        Verb::Bench(options) => bench::run(&workspace, &options),
        Verb::Coverage(options) => coverage::run(&workspace, &options),
        Verb::Tidy(options) => tidy::run(&workspace, &options),
        Verb::Exec(options) => exec::run(&options),
    }
}
