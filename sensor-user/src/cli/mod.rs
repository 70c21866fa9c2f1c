//! The command line: what a person types, and how the answer looks.
//!
//! Standard output carries results only; everything else goes to standard error. Exit status: 0 done, 1 a check failed, 2 wrong usage, 69
//! something needed is not there, 70 a fault of ours, 74 the output could not be written, 77 not permitted, 78 wrong configuration; `trace` ends with its command's.

mod canary;
mod check;
mod config;
mod cores;
mod enrol;
mod exit;
mod log;
mod output;
mod own_limits;
mod program;
mod run;
mod scan;
mod show;
mod status;
mod trace;

pub use program::main;
