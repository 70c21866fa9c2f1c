//! The detector's program; all of it is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    claviger_detector::cli::main()
}
