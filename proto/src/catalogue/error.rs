//! Why a catalogue is refused.

use super::pattern::PatternError;

/// Why a catalogue is refused. Each says where: `FILE:LINE:COLUMN`, both counted from 1, the column in characters.
#[derive(Debug, thiserror::Error)]
pub enum CatalogueError {
    /// It is not TOML, or has a key that there is not, or lacks one.
    #[error("{file}:{line}:{column}: {message}")]
    Syntax {
        /// The file, as the caller named it.
        file: String,
        /// Counted from 1.
        line: usize,
        /// Counted from 1, in characters.
        column: usize,
        /// What the TOML reader says.
        message: String,
    },
    /// It is of a version that this program does not know.
    #[error("{file}:{line}:{column}: version {found} is not known, this program reads version 1")]
    Version {
        /// The file, as the caller named it.
        file: String,
        /// Counted from 1.
        line: usize,
        /// Counted from 1, in characters.
        column: usize,
        /// The version it says.
        found: i64,
    },
    /// A pattern of an entry or a kind cannot be used.
    #[error("{file}:{line}:{column}: {owner:?}: {field}: pattern {pattern:?} cannot be used")]
    Pattern {
        /// The file, as the caller named it.
        file: String,
        /// Counted from 1.
        line: usize,
        /// Counted from 1, in characters.
        column: usize,
        /// The entry's id or the kind's name.
        owner: String,
        /// Which list it stands in.
        field: &'static str,
        /// The pattern as it stands in the file.
        pattern: String,
        /// What is wrong with it.
        #[source]
        source: PatternError,
    },
    /// An entry or kind is wrong in another way.
    #[error("{file}:{line}:{column}: {owner:?}: {field}: {reason}")]
    Item {
        /// The file, as the caller named it.
        file: String,
        /// Counted from 1.
        line: usize,
        /// Counted from 1, in characters.
        column: usize,
        /// The entry's id or the kind's name.
        owner: String,
        /// Which key of it.
        field: &'static str,
        /// What is wrong, and what would be right.
        reason: &'static str,
    },
    /// There is more than any catalogue needs.
    #[error("{file}: {what}")]
    TooMuch {
        /// The file, as the caller named it.
        file: String,
        /// More of what, and how many there may be.
        what: &'static str,
    },
}

impl CatalogueError {
    /// Line and column; what has none stands last.
    pub(super) fn place(&self) -> (usize, usize) {
        match self {
            Self::Syntax { line, column, .. }
            | Self::Version { line, column, .. }
            | Self::Pattern { line, column, .. }
            | Self::Item { line, column, .. } => (*line, *column),
            Self::TooMuch { .. } => (usize::MAX, usize::MAX),
        }
    }
}
