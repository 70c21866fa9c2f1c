//! Why the spool did not do something.

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::LossReason;

/// Why the spool did not do something.
#[derive(Debug, Error)]
pub enum SpoolError {
    /// Another process has the spool open.
    #[error("another sensor uses the spool {}: only one may run on a host", dir.display())]
    InUse {
        /// The directory.
        dir: PathBuf,
    },
    /// A file operation failed.
    #[error("cannot {step} {}", path.display())]
    Io {
        /// What was tried.
        step: &'static str,
        /// With what.
        path: PathBuf,
        /// Why it failed.
        #[source]
        source: io::Error,
    },
    /// The batch was not taken. It is counted as lost already.
    #[error("the spool cannot take a batch: {}", reason.sentence())]
    Refused {
        /// Why.
        reason: LossReason,
        /// What the operating system said, where it said something.
        #[source]
        source: Option<io::Error>,
    },
}

/// Adds what was tried, and with what.
pub(super) fn failed(step: &'static str, path: &Path) -> impl FnOnce(io::Error) -> SpoolError {
    move |source| SpoolError::Io {
        step,
        path: path.to_owned(),
        source,
    }
}

/// Whether there is no room on the disk (or in the quota, or within what somebody has limited the sensor's files to).
pub(super) fn is_disk_full(why: &io::Error) -> bool {
    matches!(
        why.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge
    )
}
