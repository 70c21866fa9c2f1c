//! The records of the ring buffer. Every record begins with a [`RecordHeader`] that says which it is.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::{
    labels::{Label, ObjectKey},
    limits::{ANCESTORS_MAX, COMM_BYTES, GIVEN_PATH_BYTES, PATH_BYTES},
};

/// [`RecordHeader::kind`] of a [`FileUseRecord`].
pub const RECORD_FILE_USE: u32 = 1;
/// [`RecordHeader::kind`] of an [`AttemptRecord`].
pub const RECORD_ATTEMPT: u32 = 2;
/// [`RecordHeader::kind`] of an [`ExecRecord`].
pub const RECORD_EXEC: u32 = 3;
/// [`RecordHeader::kind`] of a [`ForkRecord`].
pub const RECORD_FORK: u32 = 4;
/// [`RecordHeader::kind`] of an [`ExitRecord`].
pub const RECORD_EXIT: u32 = 5;
/// [`RecordHeader::kind`] of a [`ProcessSecretRecord`].
pub const RECORD_PROCESS_SECRET: u32 = 6;

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

/// [`RepeatKey::operation`]: a file was opened.
pub const OPERATION_OPEN: u32 = 1;
/// [`RepeatKey::operation`]: a file was mapped into memory.
pub const OPERATION_MAP: u32 = 2;
/// [`RepeatKey::operation`]: a program was started with a file open.
pub const OPERATION_INHERIT: u32 = 3;
/// [`RepeatKey::operation`]: a file's open descriptor came from another process.
pub const OPERATION_RECEIVE: u32 = 4;
/// [`RepeatKey::operation`]: a process, or the memory of all, was reached for; a `PART_` value is added.
pub const OPERATION_REACH: u32 = 16;

/// [`RepeatKey::access`]: the descriptor can read.
pub const OPENED_FOR_READING: u32 = 1;
/// [`RepeatKey::access`]: the descriptor can write.
pub const OPENED_FOR_WRITING: u32 = 2;

/// [`FileUseRecord::matched`]: the object is labelled.
pub const MATCHED_OBJECT: u32 = 1;
/// [`FileUseRecord::matched`]: the name is known in a labelled directory.
pub const MATCHED_NAME: u32 = 2;
/// [`FileUseRecord::matched`]: the directory takes patterns; the agent has to look at the name.
pub const MATCHED_DIRECTORY_PATTERN: u32 = 3;

/// A file was used that may be a credential. The first use by a process; those that follow are counted under their [`RepeatKey`].
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct FileUseRecord {
    /// Begins every record.
    pub header: RecordHeader,
    /// Who.
    pub task: TaskSnapshot,
    /// What, by whom and how: what the repeats are counted under.
    pub key: RepeatKey,
    /// The label that matched.
    pub label: Label,
    /// How it matched: one of the `MATCHED_` values.
    pub matched: u32,
    /// Zero.
    pub reserved: u32,
    /// Where.
    pub path: PathBytes,
}

/// What repeats are counted under: one use by one program run, never merged with another.
#[repr(C)]
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    FromBytes,
    IntoBytes,
    Immutable,
    KnownLayout,
)]
pub struct RepeatKey {
    /// Process id in the initial pid namespace.
    pub pid: u32,
    /// One of the `OPERATION_` values; for what is reached for, [`OPERATION_REACH`] and one of the `PART_` values added to it.
    pub operation: u32,
    /// Start of the process in nanoseconds since boot including suspend.
    pub start_boottime_ns: u64,
    /// How many programs the process had started: another program is another user.
    pub exec_id: u64,
    /// The file; for what is reached for: start of the target as inode, its process id as device, the number of a block device as generation.
    pub object: ObjectKey,
    /// `OPENED_FOR_` bits of the descriptor; 0 where there is none.
    pub access: u32,
    /// The errno of a refusal, positive; 0 where it was allowed.
    pub errno: u32,
}

/// An open of which only the path is known: it was refused, or it was given to io_uring in a way whose end cannot be seen.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct AttemptRecord {
    /// Begins every record.
    pub header: RecordHeader,
    /// Who.
    pub task: TaskSnapshot,
    /// The errno, positive; 0 where the end is not known.
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

/// Part of a process, behind [`OPERATION_REACH`]: `/proc/PID/environ` was opened.
pub const PART_ENVIRON: u32 = 1;
/// Part of a process, behind [`OPERATION_REACH`]: `/proc/PID/mem` was opened.
pub const PART_MEM: u32 = 2;
/// Part of a process, behind [`OPERATION_REACH`]: `/proc/PID/maps` was opened.
pub const PART_MAPS: u32 = 3;
/// Part of a process, behind [`OPERATION_REACH`]: ptrace attached or seized.
pub const PART_PTRACE: u32 = 4;
/// Part of a process, behind [`OPERATION_REACH`]: process_vm_readv.
pub const PART_VM_READ: u32 = 5;
/// Part of a process, behind [`OPERATION_REACH`]: a descriptor was taken by pidfd_getfd.
pub const PART_DESCRIPTOR: u32 = 6;
/// Part of a process, behind [`OPERATION_REACH`]: `/proc/kcore` was opened: the memory of all.
pub const PART_KERNEL_MEMORY: u32 = 7;
/// Part of a process, behind [`OPERATION_REACH`]: `/dev/mem` was opened: the memory of all.
pub const PART_PHYSICAL_MEMORY: u32 = 8;
/// Part of a process, behind [`OPERATION_REACH`]: a block device was opened: the files of all.
pub const PART_BLOCK_DEVICE: u32 = 9;

/// What a process keeps to itself was reached for by another.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct ProcessSecretRecord {
    /// Begins every record.
    pub header: RecordHeader,
    /// Who.
    pub task: TaskSnapshot,
    /// What of whom, and how it ended: what the repeats are counted under.
    pub key: RepeatKey,
    /// Whose, where the kernel half could tell; otherwise zeros.
    pub target: Ancestor,
    /// The process id that was given, in the caller's pid namespace; 0 where `target` tells, or where all are meant.
    pub given_pid: u32,
    /// For a block device: its number in the kernel's encoding; otherwise 0.
    pub device: u32,
}
