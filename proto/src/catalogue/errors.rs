//! All that is wrong with a catalogue, for whoever mends it in one go.

use std::{collections::BTreeSet, error::Error, fmt};

use super::error::CatalogueError;

/// Errors that are told, at most; more are counted.
pub const ERRORS_MAX: usize = 20;

/// All that is wrong, in the order of the files and of what stands in them. At most [`ERRORS_MAX`] are kept, the rest is counted.
#[derive(Debug, Default)]
pub struct CatalogueErrors {
    told: Vec<CatalogueError>,
    more: usize,
}

impl CatalogueErrors {
    /// Each in one line, with its place, the reason and what would be right.
    pub fn lines(&self) -> impl Iterator<Item = String> {
        self.told.iter().map(|error| match error.source() {
            Some(source) => format!("{error}: {source}"),
            None => error.to_string(),
        })
    }

    /// How many there are beside those of [`lines`](Self::lines).
    #[must_use]
    pub fn more(&self) -> usize {
        self.more
    }
}

impl fmt::Display for CatalogueErrors {
    /// The first, and how many others there are.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.lines().next().unwrap_or_default())?;
        match self.told.len().saturating_sub(1) + self.more {
            0 => Ok(()),
            others => write!(f, " (and {others} more)"),
        }
    }
}

impl Error for CatalogueErrors {}

/// What others can ask for by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Sort {
    /// An entry, by its id.
    Entry,
    /// A kind, by its name.
    Kind,
}

/// What came out wrong so far.
#[derive(Debug, Default)]
pub(super) struct Faults {
    errors: CatalogueErrors,
    /// What is there but for what is wrong with it.
    refused: BTreeSet<(Sort, String)>,
    /// Of what something could not be read so that not even its name is known.
    nameless: BTreeSet<Sort>,
}

impl Faults {
    /// One more.
    pub(super) fn push(&mut self, error: CatalogueError) {
        if self.errors.told.len() < ERRORS_MAX {
            self.errors.told.push(error);
        } else {
            self.errors.more += 1;
        }
    }

    /// One more, for which some of a sort cannot be read.
    pub(super) fn push_nameless(&mut self, error: CatalogueError, sorts: &[Sort]) {
        self.nameless.extend(sorts);
        self.push(error);
    }

    /// So many there are.
    pub(super) fn count(&self) -> usize {
        self.errors.told.len() + self.errors.more
    }

    /// Puts what came since there were so many in the order of the file.
    pub(super) fn in_order_since(&mut self, count: usize) {
        if let Some(new) = self.errors.told.get_mut(count..) {
            new.sort_by_key(CatalogueError::place);
        }
    }

    /// What has this name is wrong. That it is missing for others is no fault of theirs.
    pub(super) fn refuse(&mut self, sort: Sort, name: &str) {
        self.refused.insert((sort, name.to_owned()));
    }

    /// Whether what is called so may be there once all that is wrong is mended.
    pub(super) fn may_come(&self, sort: Sort, name: &str) -> bool {
        self.nameless.contains(&sort) || self.refused.contains(&(sort, name.to_owned()))
    }

    /// Nothing, or all that is wrong.
    pub(super) fn into_result(self) -> Result<(), CatalogueErrors> {
        if self.errors.told.is_empty() {
            Ok(())
        } else {
            Err(self.errors)
        }
    }
}
