//! A program that ends at once: the sensor starts itself as one to see whether the process probes work.

use std::ffi::OsString;

/// The hidden command.
pub(super) const COMMAND: &str = "canary";

/// How to start it.
pub(super) fn command() -> Vec<OsString> {
    vec!["/proc/self/exe".into(), COMMAND.into()]
}
