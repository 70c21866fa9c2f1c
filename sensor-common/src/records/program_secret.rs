//! Programs that are started with a credential in their environment or arguments.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::{RecordHeader, TaskSnapshot};
use crate::limits::{FOUND_MAX, FOUND_NAME_BYTES};

/// [`FoundName::place`]: a variable of the environment.
pub const PLACE_VARIABLE: u32 = 1;
/// [`FoundName::place`]: an option, as `--token`.
pub const PLACE_OPTION: u32 = 2;
/// [`FoundName::place`]: an argument that is a header of HTTP, as `Authorization: Bearer …`.
pub const PLACE_HEADER: u32 = 3;

/// The name of a credential, never its value.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct FoundName {
    /// The hash under which it is known, by the bits of [`crate::SECRET_NAME_MASK`].
    pub hash: u64,
    /// One of the `PLACE_` values.
    pub place: u32,
    /// Bytes used of `name`.
    pub length: u32,
    /// What it is called; what stands behind `length` means nothing.
    pub name: [u8; FOUND_NAME_BYTES],
}

/// A program was started with credentials in its environment or arguments, or with variables by which it loads code; or its environment could not be
/// looked at to the end, and then there may be none.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct ProgramSecretRecord {
    /// Begins every record.
    pub header: RecordHeader,
    /// Who, after the change.
    pub task: TaskSnapshot,
    /// Places used of `found`.
    pub count: u32,
    /// Names that found no place.
    pub left_out: u32,
    /// 1 where not the whole environment was looked at.
    pub unread: u32,
    /// For what comes next to be aligned; 0.
    pub padding: u32,
    /// The first of them; what stands behind `count` means nothing.
    pub found: [FoundName; FOUND_MAX],
}
