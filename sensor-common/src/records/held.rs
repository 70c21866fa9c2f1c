//! An open descriptor, found by the look through all of them.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::{PathBytes, RecordHeader, RepeatKey, TaskSnapshot};
use crate::labels::Label;

/// What the next look through all open descriptors is, set by the agent before each.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Look {
    /// When the look before began, in nanoseconds since boot; 0 for the first.
    pub before_boot_ns: u64,
    /// Counts looks from 1.
    pub number: u32,
    /// Zero.
    pub reserved: u32,
}

/// A process has a file open, or mapped, that may be a credential, and no hook told how it came to it.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct HeldRecord {
    /// Begins every record.
    pub header: RecordHeader,
    /// Who has it.
    pub task: TaskSnapshot,
    /// What, and how it is open.
    pub key: RepeatKey,
    /// The label that matched.
    pub label: Label,
    /// How it matched: one of the `MATCHED_` values.
    pub matched: u32,
    /// 1 where this was the first look: it was open before anybody watched.
    pub pre_existing: u32,
    /// The earliest time at which the process may have come to it, in nanoseconds since boot.
    pub since_boot_ns: u64,
    /// Where.
    pub path: PathBytes,
}
