//! The detector's program; all of it is in the library.

use std::process::ExitCode;

/// For each event many small pieces are allocated.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    claviger_detector::cli::main()
}
