//! The sensor. See the library of this crate.

use std::process::ExitCode;

fn main() -> ExitCode {
    claviger_sensor::cli::main()
}
