//! The records of the ring buffer. Every record begins with a [`RecordHeader`] that says which it is.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::{
    labels::{Label, ObjectKey},
    limits::{ANCESTORS_MAX, COMM_BYTES, GIVEN_PATH_BYTES, PATH_BYTES},
};

/// [`RecordHeader::kind`] of an [`OpenRecord`].
pub const RECORD_OPEN: u32 = 1;
/// [`RecordHeader::kind`] of a [`DeniedRecord`].
pub const RECORD_DENIED: u32 = 2;
/// [`RecordHeader::kind`] of an [`ExecRecord`].
pub const RECORD_EXEC: u32 = 3;
/// [`RecordHeader::kind`] of a [`ForkRecord`].
pub const RECORD_FORK: u32 = 4;
/// [`RecordHeader::kind`] of an [`ExitRecord`].
pub const RECORD_EXIT: u32 = 5;

/// Stands where a user or group id is not known, as in the kernel.
pub const UNKNOWN_ID: u32 = u32::MAX;

/// Begins every record.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct RecordHeader {
    /// Which record follows.
    pub kind: u32,
    /// CPU that wrote it.
    pub cpu: u32,
    /// Nanoseconds since boot including suspend.
    pub time_boot_ns: u64,
}

/// A process by what identifies it.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Ancestor {
    /// Process id in the initial pid namespace; 0 in unused places.
    pub pid: u32,
    /// Zero.
    pub reserved: u32,
    /// Start of the process in nanoseconds since boot including suspend.
    pub start_boottime_ns: u64,
}

/// The acting task as it was at that moment.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct TaskSnapshot {
    /// Process id (thread group id) in the initial pid namespace.
    pub pid: u32,
    /// Thread id in the initial pid namespace.
    pub tid: u32,
    /// Start of the process (its thread group leader) in nanoseconds since boot including suspend.
    pub start_boottime_ns: u64,
    /// Effective capabilities.
    pub effective_capabilities: u64,
    /// Cgroup v2 id.
    pub cgroup_id: u64,
    /// Inode of the executable; 0 for kernel threads.
    pub exe_inode: u64,
    /// Superblock device of the executable in the kernel's encoding.
    pub exe_device: u32,
    /// Real user id in the initial user namespace.
    pub uid: u32,
    /// Real group id in the initial user namespace.
    pub gid: u32,
    /// Effective user id in the initial user namespace.
    pub euid: u32,
    /// Effective group id in the initial user namespace.
    pub egid: u32,
    /// User id at login; [`UNKNOWN_ID`] where there was none or the kernel keeps none.
    pub login_uid: u32,
    /// Mount namespace by inode number.
    pub mount_namespace: u32,
    /// Pid namespace for children by inode number.
    pub pid_namespace: u32,
    /// Network namespace by inode number.
    pub network_namespace: u32,
    /// User namespace by inode number.
    pub user_namespace: u32,
    /// Command name of the thread group leader, padded with zeros.
    pub comm: [u8; COMM_BYTES],
    /// Ancestors, parent first; unused places have pid 0.
    pub ancestors: [Ancestor; ANCESTORS_MAX],
}

/// A path as the walk from the object to the task's root found it.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct PathBytes {
    /// Bytes used.
    pub length: u32,
    /// 1 where the walk ended before the root.
    pub truncated: u32,
    /// Components from the object upwards, each with a terminating zero.
    pub components: [u8; PATH_BYTES],
}

/// [`OpenRecord::access`]: the descriptor can read.
pub const OPENED_FOR_READING: u32 = 1;
/// [`OpenRecord::access`]: the descriptor can write.
pub const OPENED_FOR_WRITING: u32 = 2;

/// [`OpenRecord::matched`]: the object is labelled.
pub const MATCHED_OBJECT: u32 = 1;
/// [`OpenRecord::matched`]: the name is known in a labelled directory.
pub const MATCHED_NAME: u32 = 2;
/// [`OpenRecord::matched`]: the directory takes patterns; the agent has to look at the name.
pub const MATCHED_DIRECTORY_PATTERN: u32 = 3;

/// A file was opened that may be a credential.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct OpenRecord {
    /// Begins every record.
    pub header: RecordHeader,
    /// Who.
    pub task: TaskSnapshot,
    /// What.
    pub object: ObjectKey,
    /// The label that matched.
    pub label: Label,
    /// How it matched: one of the `MATCHED_` values.
    pub matched: u32,
    /// `OPENED_FOR_` bits.
    pub access: u32,
    /// Where.
    pub path: PathBytes,
}

/// An open was refused.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct DeniedRecord {
    /// Begins every record.
    pub header: RecordHeader,
    /// Who.
    pub task: TaskSnapshot,
    /// The errno, positive.
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
