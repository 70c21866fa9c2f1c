//! Which exit code an error has.

use std::io;

use crate::config::ConfigError;
use crate::enrol::EnrolError;
use crate::receive::ServeError;
use crate::store::StoreError;

pub(super) const FAILED: u8 = 1;
pub(super) const USAGE: u8 = 2;
pub(super) const UNAVAILABLE: u8 = 69;
pub(super) const NOT_WRITTEN: u8 = 74;
pub(super) const PERMISSION: u8 = 77;
pub(super) const CONFIG: u8 = 78;

/// What the command line or standard input says makes no sense.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct UsageError(pub(super) String);

/// Something that is needed is not there.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct Unavailable(pub(super) String);

/// The code of an error, by the first of its causes that has one.
pub(super) fn code(error: &anyhow::Error) -> u8 {
    error.chain().find_map(own_code).unwrap_or(FAILED)
}

fn own_code(error: &(dyn std::error::Error + 'static)) -> Option<u8> {
    if error.is::<UsageError>() {
        return Some(USAGE);
    }
    if error.is::<Unavailable>() {
        return Some(UNAVAILABLE);
    }
    if error
        .downcast_ref::<io::Error>()
        .is_some_and(|error| error.kind() == io::ErrorKind::StorageFull)
    {
        return Some(NOT_WRITTEN);
    }
    if let Some(error) = error.downcast_ref::<ConfigError>() {
        return Some(match error {
            ConfigError::Read { source, .. } if is_permission(source) => PERMISSION,
            _ => CONFIG,
        });
    }
    if let Some(error) = error.downcast_ref::<ServeError>() {
        return match error {
            ServeError::Bind { source, .. } if is_permission(source) => Some(PERMISSION),
            ServeError::AddressInUse { .. } | ServeError::Bind { .. } => Some(UNAVAILABLE),
            ServeError::Store(error) => of_store(error),
            ServeError::Enrol(error) => of_enrol(error),
            _ => None,
        };
    }
    if let Some(error) = error.downcast_ref::<EnrolError>() {
        return of_enrol(error);
    }
    error.downcast_ref::<StoreError>().and_then(of_store)
}

fn of_enrol(error: &EnrolError) -> Option<u8> {
    match error {
        EnrolError::Authority { .. } => Some(CONFIG),
        EnrolError::Store(error) => of_store(error),
        _ => None,
    }
}

fn of_store(error: &StoreError) -> Option<u8> {
    match error {
        _ if error.is_permission() => Some(PERMISSION),
        StoreError::Busy { .. } | StoreError::Missing { .. } => Some(UNAVAILABLE),
        StoreError::Exposed { .. }
        | StoreError::NoDatabase { .. }
        | StoreError::Orphaned { .. }
        | StoreError::Version { .. } => Some(CONFIG),
        // No regular file.
        StoreError::Io { source, .. } if source.kind() == io::ErrorKind::InvalidInput => Some(CONFIG),
        _ => None,
    }
}

fn is_permission(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::PermissionDenied
}

/// Whether whoever read the output has gone.
pub(super) fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let is = |cause: &(dyn std::error::Error + 'static)| {
        cause
            .downcast_ref::<io::Error>()
            .is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
    };
    error.root_cause().downcast_ref::<io::Error>().is_some() && error.chain().last().is_some_and(is)
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use super::*;

    #[test]
    fn errors_have_their_codes() {
        let store = |kind: io::ErrorKind| StoreError::io("open", Path::new("/x"))(kind.into());
        let in_use = ServeError::AddressInUse {
            address: ([127, 0, 0, 1], 1).into(),
        };
        for (error, expected) in [
            (
                anyhow::Error::new(StoreError::Missing { path: PathBuf::new() }),
                UNAVAILABLE,
            ),
            (
                anyhow::Error::new(store(io::ErrorKind::PermissionDenied)).context("more"),
                PERMISSION,
            ),
            (
                ServeError::Store(store(io::ErrorKind::PermissionDenied)).into(),
                PERMISSION,
            ),
            (in_use.into(), UNAVAILABLE),
            (
                EnrolError::Authority {
                    name: "ca.key",
                    what: "missing",
                }
                .into(),
                CONFIG,
            ),
            (
                ConfigError::Parse {
                    path: PathBuf::new(),
                    message: String::new(),
                }
                .into(),
                CONFIG,
            ),
            (
                ServeError::Store(store(io::ErrorKind::StorageFull)).into(),
                NOT_WRITTEN,
            ),
            (UsageError("x".into()).into(), USAGE),
            (anyhow::anyhow!("x"), FAILED),
        ] {
            assert_eq!(code(&error), expected, "{error:?}");
        }
    }

    #[test]
    fn a_reader_that_went_away_is_told_from_trouble() {
        assert!(is_broken_pipe(&io::Error::from(io::ErrorKind::BrokenPipe).into()));
        assert!(!is_broken_pipe(
            &io::Error::from(io::ErrorKind::StorageFull).into()
        ));
        assert!(!is_broken_pipe(&anyhow::anyhow!("broken pipe")));
    }
}
