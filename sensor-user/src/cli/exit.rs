//! Exit statuses, after sysexits(3).

use std::io;

use super::{
    output::{NotCreated, NotWritten},
    trace::NotStarted,
};
use crate::{
    agent::{AgentError, ControlError, LockError},
    config::ConfigError,
    kernel::KernelError,
    metrics::ListenerError,
    spool::SpoolError,
};

/// A check failed.
pub(super) const FAILED: u8 = 1;
/// Wrong usage, as clap ends with.
pub(super) const USAGE: u8 = 2;
/// Done, but not all of it could be looked at.
pub(super) const PARTLY: u8 = 3;
/// EX_UNAVAILABLE: something needed is not there.
pub(super) const UNAVAILABLE: u8 = 69;
/// EX_SOFTWARE: a fault of ours.
pub(super) const SOFTWARE: u8 = 70;
/// EX_CANTCREAT: a file that was named for the output cannot be made.
pub(super) const NOT_CREATED: u8 = 73;
/// EX_IOERR: the output could not be written.
pub(super) const NOT_WRITTEN: u8 = 74;
/// EX_NOPERM.
pub(super) const NOT_PERMITTED: u8 = 77;
/// EX_CONFIG.
pub(super) const CONFIG: u8 = 78;

/// The status that an error ends the program with.
pub(super) fn status_of(error: &anyhow::Error) -> u8 {
    for cause in error.chain() {
        if cause.is::<NotWritten>() {
            return NOT_WRITTEN;
        }
        if cause.is::<NotCreated>() {
            return NOT_CREATED;
        }
        if let Some(not_started) = cause.downcast_ref::<NotStarted>() {
            return not_started.status();
        }
        if let Some(kernel) = cause.downcast_ref::<KernelError>() {
            return match kernel {
                KernelError::NotPermitted => NOT_PERMITTED,
                _ => UNAVAILABLE,
            };
        }
        if let Some(status) = super::enrol::status_of(cause) {
            return status;
        }
        if cause.is::<ConfigError>() {
            return CONFIG;
        }
        if cause.is::<ListenerError>() || cause.is::<ControlError>() || cause.is::<LockError>() {
            let is_forbidden = error.chain().any(is_forbidden);
            return if is_forbidden { NOT_PERMITTED } else { UNAVAILABLE };
        }
        if let Some(SpoolError::InUse { .. }) = cause.downcast_ref::<SpoolError>() {
            return UNAVAILABLE;
        }
        if let Some(AgentError::Kernel(KernelError::NotPermitted)) = cause.downcast_ref::<AgentError>() {
            return NOT_PERMITTED;
        }
        if is_forbidden(cause) {
            return NOT_PERMITTED;
        }
    }
    SOFTWARE
}

/// Whether the system refused it to this user.
fn is_forbidden(cause: &(dyn std::error::Error + 'static)) -> bool {
    cause
        .downcast_ref::<io::Error>()
        .is_some_and(|io| io.kind() == io::ErrorKind::PermissionDenied)
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    #[test]
    fn what_is_refused_to_this_user_is_told_from_what_is_not_there() {
        let connect = |kind: io::ErrorKind| {
            status_of(
                &ControlError::Connect {
                    path: "/run/x".to_owned(),
                    source: kind.into(),
                }
                .into(),
            )
        };
        assert_eq!(connect(io::ErrorKind::NotFound), UNAVAILABLE);
        assert_eq!(connect(io::ErrorKind::PermissionDenied), NOT_PERMITTED);
        let lock = LockError::Io {
            path: PathBuf::from("/run/x"),
            source: io::ErrorKind::PermissionDenied.into(),
        };
        assert_eq!(status_of(&lock.into()), NOT_PERMITTED);
    }

    #[test]
    fn a_file_that_cannot_be_made_is_no_fault_of_ours() {
        let not_created = NotCreated {
            path: PathBuf::from("/nowhere/x"),
            source: io::ErrorKind::NotFound.into(),
        };
        assert_eq!(status_of(&not_created.into()), NOT_CREATED);
    }
}
