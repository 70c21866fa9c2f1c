//! A change of a file, or of what leads to files.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::{PathBytes, RecordHeader, TaskSnapshot};
use crate::{
    labels::{Label, ObjectKey},
    limits::GIVEN_PATH_BYTES,
};

/// [`ChangeRecord::what`]: it was created by an open.
pub const CHANGE_CREATED: u32 = 1;
/// [`ChangeRecord::what`]: it was renamed; `second` is its new name.
pub const CHANGE_RENAMED: u32 = 2;
/// [`ChangeRecord::what`]: it changed places with `second`.
pub const CHANGE_EXCHANGED: u32 = 3;
/// [`ChangeRecord::what`]: a name of it was removed.
pub const CHANGE_REMOVED: u32 = 4;
/// [`ChangeRecord::what`]: it was given another name, `second`.
pub const CHANGE_LINKED: u32 = 5;
/// [`ChangeRecord::what`]: a symbolic link to it was made, `second`. The path is what the link says.
pub const CHANGE_SYMLINKED: u32 = 6;
/// [`ChangeRecord::what`]: its length was set.
pub const CHANGE_TRUNCATED: u32 = 7;
/// [`ChangeRecord::what`]: its mode was set.
pub const CHANGE_MODE: u32 = 8;
/// [`ChangeRecord::what`]: its owner or group was set.
pub const CHANGE_OWNER: u32 = 9;
/// [`ChangeRecord::what`]: an extended attribute was set or removed; its name is what is given of `second`.
pub const CHANGE_ATTRIBUTE: u32 = 10;
/// [`ChangeRecord::what`]: a directory, a link or a mount appeared through which there may be a way to credentials. No change of a file.
pub const CHANGE_APPEARED: u32 = 11;
/// [`ChangeRecord::what`]: a directory was renamed in which credentials may lie, or to where some may; `second` is its new name. `file` is the
/// directory, `place` the one that it lies in now. By path, a renamed directory is a [`CHANGE_RENAMED`].
pub const CHANGE_DIRECTORY_RENAMED: u32 = 12;
/// [`ChangeRecord::what`]: as [`CHANGE_DIRECTORY_RENAMED`], and what was called `second` has its name now.
pub const CHANGE_DIRECTORY_EXCHANGED: u32 = 13;

/// [`ChangeRecord::by_path`]: only paths are known and no object.
pub const CHANGE_BY_PATH: u32 = 1;
/// [`ChangeRecord::by_path`]: a path was not in memory when the call began and was read when it had ended, so it may be another than the kernel's.
pub const CHANGE_READ_LATE: u32 = 2;
/// And: the root of who did it is another than the agent's, so its paths may lead to other files than the agent's do.
pub const CHANGE_OF_OTHER_ROOT: u32 = 4;

/// [`ChangeRecord::errno`]: the end was not seen.
pub const END_UNKNOWN: u32 = u32::MAX;
/// [`super::AttemptRecord::errno`]: the open is under way, and the use of what it opens will most likely be told by its object.
pub const END_TO_COME: u32 = u32::MAX - 1;
/// [`super::AttemptRecord::errno`]: the open has not run, and the map `LEFT_OPENS` tells, by the record's time, when it has.
pub const END_TO_RUN: u32 = u32::MAX - 2;
/// [`super::AttemptRecord::errno`]: the open has not run, and nobody will see it run.
pub const END_NOT_RUN: u32 = u32::MAX - 3;

/// In the map `LEFT_OPENS`: the open is to run.
pub const IS_TO_RUN: u32 = 0;
/// In the map `LEFT_OPENS`: it has run.
pub const HAS_RUN: u32 = 1;

/// What is known of a file, or of a name.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct KnownFile {
    /// The label that matched.
    pub label: Label,
    /// How it matched: one of the `MATCHED_` values; 0 where nothing is known.
    pub matched: u32,
    /// 1 where the file is that of a layer, and what was done was done to what an overlay shows of it.
    pub through_overlay: u32,
    /// The file; zeros where the kernel half has only a path.
    pub object: ObjectKey,
}

/// In [`GivenPath::above`]: the path is one of the agent's tree. The root of the process is the agent's.
pub const ABOVE_NOTHING: u32 = 0;
/// In [`GivenPath::above`]: the root of the process is another, which lies below the agent's.
pub const ABOVE_ROOT: u32 = 1;
/// In [`GivenPath::above`]: the path is one of another tree: of another mount namespace, or of mounts that are in none.
pub const ABOVE_ELSEWHERE: u32 = 2;
/// In [`GivenPath::above`]: where the root of the process lies is not known as a whole.
pub const ABOVE_UNKNOWN: u32 = 3;
/// Added in [`GivenPath::above`]: what the path starts at does not lie below the root of the process, and `base` leads from the agent's root, or from the top of the other tree.
pub const ABOVE_OUTSIDE: u32 = 8;
/// Added to [`ABOVE_ELSEWHERE`]: the other tree has at its top the directory that the agent has for its root, by another mount.
pub const ABOVE_COPY: u32 = 16;

/// A path: what was given, below what it starts at. Of an object nothing is given, and all of its path is in `base`.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct GivenPath {
    /// Bytes used of `given`, without the terminating zero.
    pub given_length: u32,
    /// 1 where what was given was longer than `given`.
    pub given_truncated: u32,
    /// One of the `ABOVE_` values, and [`ABOVE_OUTSIDE`].
    pub above: u32,
    /// Bytes of `base` behind those that are used that say where the root of the process lies, as `above` says.
    pub root_length: u32,
    /// What the process gave; what stands behind `given_length` means nothing.
    pub given: [u8; GIVEN_PATH_BYTES],
    /// What a relative path starts at; empty for an absolute one. Of an object its path on its file system.
    pub base: PathBytes,
}

/// A file that may be a credential was changed.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct ChangeRecord {
    /// Begins every record.
    pub header: RecordHeader,
    /// Who.
    pub task: TaskSnapshot,
    /// One of the `CHANGE_` values.
    pub what: u32,
    /// The errno of a refusal, positive; 0 where it succeeded; or [`END_UNKNOWN`].
    pub errno: u32,
    /// [`CHANGE_BY_PATH`], [`CHANGE_READ_LATE`] and [`CHANGE_OF_OTHER_ROOT`].
    pub by_path: u32,
    /// 1 where something lay at the new name before.
    pub overwrote: u32,
    /// Permission bits before; [`crate::UNKNOWN_ID`] where they are not known, as for all that follow.
    pub mode_before: u32,
    /// Permission bits after.
    pub mode_after: u32,
    /// User before.
    pub uid_before: u32,
    /// Group before.
    pub gid_before: u32,
    /// User after.
    pub uid_after: u32,
    /// Group after.
    pub gid_after: u32,
    /// The file.
    pub file: KnownFile,
    /// What is known of its new name.
    pub place: KnownFile,
    /// Where it was.
    pub path: GivenPath,
}

/// As [`ChangeRecord`], for what has a second path.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct ChangeOfTwoRecord {
    /// The change.
    pub change: ChangeRecord,
    /// The new name, or the name of an attribute.
    pub second: GivenPath,
}
