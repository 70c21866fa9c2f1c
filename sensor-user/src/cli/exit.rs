//! Exit statuses, after sysexits(3).

use super::{output::NotWritten, trace::NotStarted};
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
            return UNAVAILABLE;
        }
        if let Some(SpoolError::InUse { .. }) = cause.downcast_ref::<SpoolError>() {
            return UNAVAILABLE;
        }
        if let Some(AgentError::Kernel(KernelError::NotPermitted)) = cause.downcast_ref::<AgentError>() {
            return NOT_PERMITTED;
        }
        if let Some(io) = cause.downcast_ref::<std::io::Error>()
            && io.kind() == std::io::ErrorKind::PermissionDenied
        {
            return NOT_PERMITTED;
        }
    }
    SOFTWARE
}
