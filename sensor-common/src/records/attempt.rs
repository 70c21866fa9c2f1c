//! An open of which only the path is known.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::{PathBytes, RecordHeader, TaskSnapshot};
use crate::limits::GIVEN_PATH_BYTES;

/// An open of which only the path is known: it was refused, or given to io_uring in a way whose end cannot be seen, or the
/// kernel opened it itself.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct AttemptRecord {
    /// Begins every record.
    pub header: RecordHeader,
    /// Who.
    pub task: TaskSnapshot,
    /// The errno of a refusal, positive; 0 where it succeeded; or [`super::END_UNKNOWN`], [`super::END_TO_COME`],
    /// [`super::END_TO_RUN`] or [`super::END_NOT_RUN`].
    pub errno: u32,
    /// The flags of the call (O_ACCMODE and others); 0 where they could not be read.
    pub flags: u32,
    /// Bytes used of `given`, without the terminating zero.
    pub given_length: u32,
    /// 1 where the path given was longer than `given`.
    pub given_truncated: u32,
    /// The path as the process gave it; what stands behind `given_length` means nothing.
    pub given: [u8; GIVEN_PATH_BYTES],
    /// What a relative path starts at; empty for an absolute one.
    pub base: PathBytes,
}
