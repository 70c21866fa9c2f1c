//! What the sensor costs, measured on the kernel that this runs on: `cargo xtask bench` builds it, starts it, and boots VMs in which it runs.
//!
//! - What is measured runs in processes of its own, which do nothing else; what it is compared with runs under the same rounds.
//! - Everything started is ended, everything set is put back, also after Ctrl-C or a failure: each has a guard.
//! - It names aya, as the sensor's kernel room does, for it loads programs that do nothing and reads what the kernel tells of those loaded.
#![forbid(unsafe_code)]

mod audit;
mod child;
mod clock;
mod condition;
mod count;
mod decoys;
mod empty;
mod flood;
mod goals;
mod hook;
mod interrupt;
mod looping;
mod mix;
mod network;
mod peer;
mod programs;
mod results;
mod snoop;
mod stand;
mod statistics;
mod table;
mod workload;

use std::env;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// What the sensor costs, measured.
#[derive(Parser)]
#[command(name = "claviger-bench", version)]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    Clock(clock::Options),
    Flood(flood::Options),
    Network(network::Options),
    #[command(hide = true)]
    Child(child::Options),
    #[command(hide = true)]
    Empty(empty::Options),
    #[command(hide = true)]
    Hold(network::many::Options),
    #[command(hide = true)]
    Loop(looping::Options),
    #[command(hide = true)]
    Use(flood::worker::Options),
}

fn main() -> ExitCode {
    let result = if env::var_os("CLAVIGER_VM").is_some() && is_started_by_init() {
        count::run()
    } else {
        match Cli::parse().verb {
            Verb::Clock(options) => clock::run(&options),
            Verb::Flood(options) => flood::run(&options),
            Verb::Network(options) => network::run(&options),
            Verb::Child(options) => child::run(&options),
            Verb::Empty(options) => empty::run(&options),
            Verb::Hold(_) => network::many::hold(),
            Verb::Loop(options) => looping::run(&options),
            Verb::Use(options) => flood::worker::run(&options),
        }
    };
    result.unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::FAILURE
    })
}

/// The VM's init starts what it finds as it starts tests, with a test runner's option and no verb.
fn is_started_by_init() -> bool {
    env::args()
        .nth(1)
        .is_some_and(|argument| argument.starts_with("--test-threads"))
}
