//! A file that may become the copy of a credential.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::{Ancestor, PathBytes, RecordHeader};
use crate::labels::ObjectKey;

/// A process that has read a credential opened a file for writing, or had it open when it read. No use by itself: the agent looks at what the
/// file holds once it was written.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct WrittenRecord {
    /// Begins every record.
    pub header: RecordHeader,
    /// Who.
    pub writer: Ancestor,
    /// How many programs the process had started.
    pub exec_id: u64,
    /// The file.
    pub object: ObjectKey,
    /// What marks it: `MARK_` bits. One that is deleted, or in memory, lies at no path.
    pub marks: u32,
    /// Padding.
    pub reserved: u32,
    /// Where.
    pub path: PathBytes,
}
