//! Finds a compiler for the kernel half (`sensor-ebpf/`) and compiles it.
//!
//! - The object that [`compile`] returns was made from the sources as they are now, or it returns an error; there is never an old one.
//! - The inner cargo shares nothing with the outer one: no lock (a target directory of its own, so they cannot wait for each other), no
//!   compiler flags, no wrapper, no toolchain choice.
//! - Nothing is installed here. What is missing is named, with what to do about it ([`MissingToolchain`]).
//!
//! Used by the sensor's build script and by xtask. It has no dependencies, for it is among the first things compiled on a bare machine.
#![forbid(unsafe_code)]

mod compile;
mod environment;
mod rerun;
mod toolchain;

pub use compile::{CompileError, TARGET, cargo, compile};
pub use rerun::rerun_if_changed;
pub use toolchain::{
    Compiler, LINKER_VERSION, Missing, MissingToolchain, Toolchain, find_compiler, find_linker,
    find_toolchain,
};
