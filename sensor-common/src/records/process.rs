//! Programs started, processes created and ended.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::{Ancestor, PathBytes, RecordHeader, TaskSnapshot};

/// A process started a program.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct ExecRecord {
    /// Begins every record.
    pub header: RecordHeader,
    /// Who, after the change.
    pub task: TaskSnapshot,
    /// The executable.
    pub exe: PathBytes,
}

/// A process was created.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct ForkRecord {
    /// Begins every record.
    pub header: RecordHeader,
    /// The new process.
    pub child: Ancestor,
    /// Who created it.
    pub parent: Ancestor,
}

/// A process ended: its last thread did.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct ExitRecord {
    /// Begins every record.
    pub header: RecordHeader,
    /// The process.
    pub process: Ancestor,
}
