//! The sensor. See the library of this crate.

use std::process::ExitCode;

/// In a flood of uses a quarter of the agent's time went into the C library's.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    claviger_sensor::cli::main()
}
