//! What can go wrong with what is kept here. All of these mean that this side is at fault, or its disk.

use std::io;
use std::path::{Path, PathBuf};

/// Why something could not be stored or read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// Another process serves from this data directory.
    #[error(
        "{path} is in use by another claviger-detector; stop it first, or give this one its own --data-dir"
    )]
    Busy {
        /// The data directory.
        path: PathBuf,
    },
    /// A record of the evidence log is damaged.
    #[error("evidence log {path} is damaged at byte {offset}: {what}")]
    Damaged {
        /// The segment.
        path: PathBuf,
        /// Where the record begins.
        offset: u64,
        /// What is wrong with it.
        what: &'static str,
    },
    /// Somebody else could change or read what is the detector's alone.
    #[error("{} {what}: find out who could use that, then run `{remedy} {}`", path.display(), path.display())]
    Exposed {
        /// The directory or file.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
        /// The command against it, but for the path.
        remedy: String,
    },
    /// Something in the database that this program did not write so.
    #[error("database holds an unusable {what}")]
    Garbled {
        /// What it is.
        what: &'static str,
    },
    /// The system refused.
    #[error("cannot {step} {path}")]
    Io {
        /// What was tried.
        step: &'static str,
        /// On what.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// There is no data directory.
    #[error(
        "there is no detector's data in {path}; give --data-dir, or start one with `claviger-detector serve`"
    )]
    Missing {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// There is no database, or a damaged one, where it should be.
    #[error("{path} is damaged or no database; restore it from a backup")]
    NoDatabase {
        /// The file.
        path: PathBuf,
        /// What SQLite says.
        #[source]
        source: rusqlite::Error,
    },
    /// There is evidence, but nothing by which it could be checked or found.
    #[error(
        "{evidence} holds evidence, but {database} is not there or knows no sensor: restore it from a backup, or move {evidence} away \
         to begin anew (every sensor must then enrol again)"
    )]
    Orphaned {
        /// The evidence log's folder.
        evidence: PathBuf,
        /// The database.
        database: PathBuf,
    },
    /// A record too large for the log.
    #[error("record of {bytes} bytes is too large for the evidence log")]
    RecordTooLarge {
        /// Its size.
        bytes: usize,
    },
    /// The database refused.
    #[error("cannot {step} in the database")]
    Sqlite {
        /// What was tried.
        step: &'static str,
        /// Why not.
        #[source]
        source: rusqlite::Error,
    },
    /// The database is of a version that this program does not know.
    #[error(
        "database is of version {found}, this program knows {known}; \
         an older one is brought up to date by `claviger-detector serve`, a newer one needs a newer program"
    )]
    Version {
        /// What it is of.
        found: i64,
        /// What is known.
        known: i64,
    },
    /// The database could not be brought up to date.
    #[error("cannot bring the database up to date")]
    Migration(#[source] rusqlite::Error),
}

impl StoreError {
    pub(crate) fn io(step: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io {
            step,
            path: path.to_owned(),
            source,
        }
    }

    pub(crate) fn sqlite(step: &'static str) -> impl FnOnce(rusqlite::Error) -> Self {
        move |source| Self::Sqlite { step, source }
    }

    /// An error of SQLite while it opens that file.
    pub(crate) fn opening(path: &Path) -> impl FnOnce(rusqlite::Error) -> Self {
        use rusqlite::ErrorCode::{DatabaseCorrupt, NotADatabase};
        move |source| match source.sqlite_error_code() {
            Some(DatabaseCorrupt | NotADatabase) => Self::NoDatabase {
                path: path.to_owned(),
                source,
            },
            _ => Self::Sqlite {
                step: "open tables",
                source,
            },
        }
    }

    /// Whether it is for lack of space: nothing is broken, and it works again when there is room.
    #[must_use]
    pub fn is_full(&self) -> bool {
        match self {
            Self::Io { source, .. } => matches!(
                source.kind(),
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge
            ),
            Self::Sqlite { source, .. } => source.sqlite_error_code() == Some(rusqlite::ErrorCode::DiskFull),
            _ => false,
        }
    }

    /// Whether it is for lack of permission.
    #[must_use]
    pub fn is_permission(&self) -> bool {
        match self {
            Self::Io { source, .. } => source.kind() == io::ErrorKind::PermissionDenied,
            Self::Sqlite { source, .. } => {
                let code = source.sqlite_error_code();
                matches!(
                    code,
                    Some(rusqlite::ErrorCode::PermissionDenied | rusqlite::ErrorCode::ReadOnly)
                )
            }
            _ => false,
        }
    }
}
