//! How xtask ends: one table of exit codes, shared with the programs it runs.

use std::error::Error;
use std::fmt;
use std::process::{ExitCode, ExitStatus};

use std::os::unix::process::ExitStatusExt as _;

/// Printed under `--help`.
pub(crate) const HELP: &str = "\
Exit codes: 0 ok, 1 a check failed or something is missing, 2 usage, 69 a service is unavailable, 77 not permitted, 78 configuration.
`up -- COMMAND` ends with the command's own code, or 128 + the signal that ended it.";

/// A check failed, or something is missing.
pub(crate) const FAILED: u8 = 1;
/// A service did not come up.
pub(crate) const UNAVAILABLE: u8 = 69;
/// Takes root.
pub(crate) const NOT_PERMITTED: u8 = 77;

/// An error that has its own exit code.
#[derive(Debug)]
pub(crate) struct Failure {
    code: u8,
    text: String,
}

impl Failure {
    pub(crate) fn new(code: u8, text: impl Into<String>) -> Self {
        Self {
            code,
            text: text.into(),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Error for Failure {}

/// Tells the person what went wrong and gives the code to end with.
pub(crate) fn report(error: &anyhow::Error) -> ExitCode {
    eprintln!("error: {error:#}");
    ExitCode::from(
        error
            .downcast_ref::<Failure>()
            .map_or(FAILED, |failure| failure.code),
    )
}

/// A child's status as a shell would give it on.
pub(crate) fn code_of(status: ExitStatus) -> u8 {
    let code = status
        .code()
        .or_else(|| status.signal().map(|signal| 128 + signal));
    code.and_then(|code| u8::try_from(code).ok()).unwrap_or(FAILED)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_killed_child_ends_as_in_a_shell() {
        assert_eq!(code_of(ExitStatus::from_raw(9)), 137);
        assert_eq!(code_of(ExitStatus::from_raw(3 << 8)), 3);
        assert_eq!(code_of(ExitStatus::from_raw(0)), 0);
    }

    #[test]
    fn a_failures_code_is_found_under_its_context() {
        let error = anyhow::Error::new(Failure::new(NOT_PERMITTED, "no")).context("starting");
        assert_eq!(
            error.downcast_ref::<Failure>().map(|failure| failure.code),
            Some(NOT_PERMITTED)
        );
    }
}
