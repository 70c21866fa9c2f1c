//! The records of the ring buffer. Every record begins with a [`RecordHeader`] that says which it is.

mod agent_socket;
mod attempt;
mod change;
mod core_dump;
mod directory_list;
mod file_use;
mod held;
mod kernel_key;
mod network;
mod process;
mod process_secret;
mod program;
mod program_secret;
mod repeat_key;
mod tamper;
mod written;

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

pub use agent_socket::{AgentSocketRecord, SOCKET_NAME_BYTES};
pub use attempt::{AttemptRecord, ROOT_IS_TOP, RootPlace};
pub use change::{
    ABOVE_COPY, ABOVE_ELSEWHERE, ABOVE_NOTHING, ABOVE_OUTSIDE, ABOVE_ROOT, ABOVE_UNKNOWN, CHANGE_APPEARED,
    CHANGE_ATTRIBUTE, CHANGE_BY_PATH, CHANGE_CREATED, CHANGE_DIRECTORY_EXCHANGED, CHANGE_DIRECTORY_RENAMED,
    CHANGE_EXCHANGED, CHANGE_LINKED, CHANGE_MODE, CHANGE_OF_OTHER_ROOT, CHANGE_OWNER, CHANGE_READ_LATE,
    CHANGE_REMOVED, CHANGE_RENAMED, CHANGE_SYMLINKED, CHANGE_TRUNCATED, ChangeOfTwoRecord, ChangeRecord,
    END_NOT_RUN, END_TO_COME, END_TO_RUN, END_UNKNOWN, GivenPath, HAS_RUN, IS_TO_RUN, KnownFile,
};
pub use core_dump::CoreDumpRecord;
pub use directory_list::DirectoryListRecord;
pub use file_use::{
    FileUseRecord, FileVersion, MATCHED_BELOW, MATCHED_DIRECTORY_PATTERN, MATCHED_NAME, MATCHED_OBJECT,
    OPENED_FOR_READING, OPENED_FOR_WRITING,
};
pub use held::{HeldRecord, Look};
pub use kernel_key::KernelKeyRecord;
pub use network::{ConnectRecord, Destination, PACKET_RECEIVED, PACKET_SENT, PacketRecord, SocketFacts};
pub use process::{ExecRecord, ExitRecord, ForkRecord, RootOfTask};
pub use process_secret::{
    PART_ADVICE, PART_BLOCK_DEVICE, PART_DESCRIPTOR, PART_ENVIRON, PART_KERNEL_MEMORY, PART_MAPS, PART_MEM,
    PART_PHYSICAL_MEMORY, PART_PTRACE, PART_SUBVOLUME, PART_TRACED_FROM_START, PART_TRACEME, PART_VM_READ,
    PART_VM_WRITE, ProcessSecretRecord,
};
pub use program::{
    MARK_DELETED, MARK_LAYER_UNKNOWN, MARK_MEMFD, MARK_UPPER_LAYER, NOT_TOLD_NO_ARGUMENT,
    NOT_TOLD_UNREADABLE, PROGRAM_ARGUMENTS, PROGRAM_MAPPED, PROGRAM_SCRIPT_FILE, PROGRAM_SCRIPT_PATH,
    ProgramRecord, RUNS_APPLET, RUNS_INTERPRETER, RUNS_LOADER, RUNS_SCRIPT, RUNS_TOLD,
};
pub use program_secret::{FoundName, PLACE_HEADER, PLACE_OPTION, PLACE_VARIABLE, ProgramSecretRecord};
pub use repeat_key::{
    OPERATION_HOLD, OPERATION_INHERIT, OPERATION_KEY, OPERATION_LIST, OPERATION_MAP, OPERATION_OPEN,
    OPERATION_REACH, OPERATION_RECEIVE, OPERATION_SOCKET, OPERATION_TAMPER, REACHED_BY_AT, RepeatCount,
    RepeatKey,
};
pub use tamper::{
    COVERS_ABOVE, COVERS_OWN, TAMPER_CGROUP, TAMPER_FREEZE, TAMPER_LIMIT, TAMPER_LINK, TAMPER_MAP,
    TAMPER_MOUNT, TAMPER_OOM_SCORE, TAMPER_PROGRAM, TAMPER_SCHEDULING, TAMPER_SCHEDULING_GROUP,
    TAMPER_SCHEDULING_USER, TAMPER_SETTING, TAMPER_SIGNAL, TAMPER_SIGNAL_BY_DESCRIPTOR, TamperRecord,
};

pub use written::WrittenRecord;

use crate::limits::{ANCESTORS_MAX, COMM_BYTES, PATH_BYTES};

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
/// [`RecordHeader::kind`] of a [`DirectoryListRecord`].
pub const RECORD_DIRECTORY_LIST: u32 = 8;
/// [`RecordHeader::kind`] of a [`WrittenRecord`].
pub const RECORD_WRITTEN: u32 = 13;

/// [`RecordHeader::kind`] of a [`ProgramSecretRecord`].
pub const RECORD_PROGRAM_SECRET: u32 = 9;
/// [`RecordHeader::kind`] of a [`KernelKeyRecord`].
pub const RECORD_KERNEL_KEY: u32 = 10;
/// [`RecordHeader::kind`] of a [`TamperRecord`].
pub const RECORD_TAMPER: u32 = 11;

/// [`RecordHeader::kind`] of a [`ConnectRecord`].
pub const RECORD_CONNECT: u32 = 15;
/// [`RecordHeader::kind`] of a [`PacketRecord`].
pub const RECORD_PACKET: u32 = 16;
/// [`RecordHeader::kind`] of an [`AgentSocketRecord`].
pub const RECORD_AGENT_SOCKET: u32 = 17;

/// [`RecordHeader::kind`] of a [`ProgramRecord`].
pub const RECORD_PROGRAM: u32 = 20;

/// [`RecordHeader::kind`] of a [`HeldRecord`].
pub const RECORD_HELD: u32 = 12;
/// [`RecordHeader::kind`] of a [`ChangeRecord`] or a [`ChangeOfTwoRecord`].
pub const RECORD_CHANGE: u32 = 7;
/// [`RecordHeader::kind`] of a [`CoreDumpRecord`].
pub const RECORD_CORE_DUMP: u32 = 14;

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
    /// In a snapshot, the low bits of how many programs it and those it was forked from have started, which tells its program runs apart;
    /// elsewhere 0.
    pub exec_id: u32,
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
    /// As [`Ancestor::exec_id`].
    pub exec_id: u32,
    /// What marks the executable: `MARK_` bits.
    pub exe_marks: u32,
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
