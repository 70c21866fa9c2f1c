//! A core dump.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::{PathBytes, RecordHeader, TaskSnapshot};

/// A process that may have held a credential in its memory has ended, and the kernel wrote its core.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct CoreDumpRecord {
    /// Begins every record.
    pub header: RecordHeader,
    /// Who: the process whose memory it was.
    pub task: TaskSnapshot,
    /// The signal that ended it.
    pub signal: u32,
    /// Zero.
    pub reserved: u32,
    /// Its working directory, where a core goes whose pattern says no other.
    pub directory: PathBytes,
}
