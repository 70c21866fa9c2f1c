//! Programs started, processes created and ended.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::{Ancestor, PathBytes, RecordHeader, TaskSnapshot};

/// Which tree of files a task sees. Together with the mount namespace, what tells it from another.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct RootOfTask {
    /// A number that no other mount namespace had since boot, as the inode number of one is given again; 0 where the kernel has none.
    pub namespace_sequence: u64,
    /// The inode of the root directory.
    pub inode: u64,
    /// Its superblock's device in the kernel's encoding.
    pub device: u32,
    /// Zero.
    pub reserved: u32,
}

/// A process started a program.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct ExecRecord {
    /// Begins every record.
    pub header: RecordHeader,
    /// Who, after the change.
    pub task: TaskSnapshot,
    /// Its root.
    pub root: RootOfTask,
    /// What more than its executable it runs: `RUNS_` bits.
    pub runs: u32,
    /// Why what an interpreter runs is not told: one of the `NOT_TOLD_` values, or 0.
    pub not_told: u32,
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
