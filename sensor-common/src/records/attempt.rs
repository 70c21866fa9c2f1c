//! An open of which only the path is known.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::{PathBytes, RecordHeader, TaskSnapshot};
use crate::limits::GIVEN_PATH_BYTES;

/// Which root a process has.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct RootPlace {
    /// The mount as statx(2) has it: `mount.mnt_id_unique`, before 6.8 `mnt_id`, which is given again once the mount is gone. With [`ROOT_IS_TOP`].
    pub mount: u64,
    /// `inode.i_ino`, which is not what stat(2) says where an overlay has layers on several file systems.
    pub inode: u64,
}

/// In [`RootPlace::mount`]: it is the root of that mount.
pub const ROOT_IS_TOP: u64 = 1 << 63;

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
    /// What an absolute path starts at.
    pub root: RootPlace,
    /// Where a relative path starts that does not start below that: [`super::ABOVE_OUTSIDE`], and which tree that is. Else
    /// [`super::ABOVE_NOTHING`].
    pub above: u32,
    /// No meaning.
    pub reserved: u32,
    /// The path as the process gave it; what stands behind `given_length` means nothing.
    pub given: [u8; GIVEN_PATH_BYTES],
    /// What a relative path starts at; empty for an absolute one.
    pub base: PathBytes,
}
