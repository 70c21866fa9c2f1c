//! A file in use.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::{PathBytes, RecordHeader, RepeatKey, TaskSnapshot};
use crate::labels::Label;

/// [`RepeatKey::access`]: the descriptor can read.
pub const OPENED_FOR_READING: u32 = 1;
/// [`RepeatKey::access`]: the descriptor can write.
pub const OPENED_FOR_WRITING: u32 = 2;

/// [`FileUseRecord::matched`]: the object is labelled.
pub const MATCHED_OBJECT: u32 = 1;
/// [`FileUseRecord::matched`]: the name is known in a labelled directory.
pub const MATCHED_NAME: u32 = 2;
/// [`FileUseRecord::matched`]: the directory takes patterns; the agent has to look at the name.
pub const MATCHED_DIRECTORY_PATTERN: u32 = 3;
/// [`FileUseRecord::matched`]: the directory above the file's is labelled and leads on; the agent has to look at both names.
pub const MATCHED_BELOW: u32 = 4;

/// Which version of a file it was, as stat(2) tells versions apart. All zero where this kernel keeps them where they are not found.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct FileVersion {
    /// Bytes.
    pub size: u64,
    /// When its content was changed last: seconds since 1970, in two's complement.
    pub modified_s: u64,
    /// When it, or what the file system knows of it, was changed last: seconds since 1970, in two's complement.
    pub changed_s: u64,
    /// Nanoseconds of [`FileVersion::modified_s`].
    pub modified_ns: u32,
    /// Nanoseconds of [`FileVersion::changed_s`].
    pub changed_ns: u32,
}

/// A file was used that may be a credential. The first use by a process; those that follow are counted under their [`RepeatKey`].
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct FileUseRecord {
    /// Begins every record.
    pub header: RecordHeader,
    /// Who.
    pub task: TaskSnapshot,
    /// What, by whom and how: what the repeats are counted under.
    pub key: RepeatKey,
    /// The label that matched.
    pub label: Label,
    /// How it matched: one of the `MATCHED_` values.
    pub matched: u32,
    /// Zero.
    pub reserved: u32,
    /// Which version.
    pub version: FileVersion,
    /// Where.
    pub path: PathBytes,
}
