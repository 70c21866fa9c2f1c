//! Uses of keys of the kernel's keyrings.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::{RecordHeader, RepeatKey, TaskSnapshot};

/// A key was read or given to others, or that was refused.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct KernelKeyRecord {
    /// Begins every record.
    pub header: RecordHeader,
    /// Who.
    pub task: TaskSnapshot,
    /// What, and how it ended: what the repeats are counted under. Its object is the serial number that was given, as two's complement, as
    /// inode, and the command of `keyctl` as device.
    pub key: RepeatKey,
}
