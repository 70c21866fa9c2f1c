//! Why a catalogue is refused.

use super::pattern::PatternError;

/// Why a catalogue is refused. Each says where: `FILE:LINE`.
#[derive(Debug, thiserror::Error)]
pub enum CatalogueError {
    /// It is not TOML, or has a key that there is not, or lacks one.
    #[error("{file}:{line}: {message}")]
    Syntax {
        /// The file, as the caller named it.
        file: String,
        /// Counted from 1.
        line: usize,
        /// What the TOML reader says.
        message: String,
    },
    /// It is of a version that this program does not know.
    #[error("{file}:{line}: version {found} is not known, this program reads version 1")]
    Version {
        /// The file, as the caller named it.
        file: String,
        /// Counted from 1.
        line: usize,
        /// The version it says.
        found: i64,
    },
    /// A pattern of an entry or a kind cannot be used.
    #[error("{file}:{line}: {owner:?}: pattern {pattern:?} cannot be used")]
    Pattern {
        /// The file, as the caller named it.
        file: String,
        /// Counted from 1.
        line: usize,
        /// The entry's id or the kind's name.
        owner: String,
        /// The pattern as it stands in the file.
        pattern: String,
        /// What is wrong with it.
        #[source]
        source: PatternError,
    },
    /// An entry or kind is wrong in another way.
    #[error("{file}:{line}: {owner:?}: {reason}")]
    Item {
        /// The file, as the caller named it.
        file: String,
        /// Counted from 1.
        line: usize,
        /// The entry's id or the kind's name.
        owner: String,
        /// What is wrong, and what would be right.
        reason: &'static str,
    },
}
