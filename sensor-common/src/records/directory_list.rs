//! A directory of credentials was listed.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::{PathBytes, RecordHeader, RepeatKey, TaskSnapshot};
use crate::labels::Label;

/// A directory in which credentials lie was listed. The first listing by a program run; those that follow are counted under their [`RepeatKey`].
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct DirectoryListRecord {
    /// Begins every record.
    pub header: RecordHeader,
    /// Who.
    pub task: TaskSnapshot,
    /// What and by whom: what the repeats are counted under.
    pub key: RepeatKey,
    /// The directory's label.
    pub label: Label,
    /// Where.
    pub path: PathBytes,
}
