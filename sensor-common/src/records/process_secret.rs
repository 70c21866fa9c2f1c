//! Reaching for what a process keeps to itself.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::{Ancestor, RecordHeader, RepeatKey, TaskSnapshot};

/// Part of a process, behind [`OPERATION_REACH`]: `/proc/PID/environ` was opened.
pub const PART_ENVIRON: u32 = 1;
/// Part of a process, behind [`OPERATION_REACH`]: `/proc/PID/mem` was opened.
pub const PART_MEM: u32 = 2;
/// Part of a process, behind [`OPERATION_REACH`]: `/proc/PID/maps` or `smaps` was opened.
pub const PART_MAPS: u32 = 3;
/// Part of a process, behind [`OPERATION_REACH`]: ptrace attached or seized.
pub const PART_PTRACE: u32 = 4;
/// Part of a process, behind [`OPERATION_REACH`]: process_vm_readv.
pub const PART_VM_READ: u32 = 5;
/// Part of a process, behind [`OPERATION_REACH`]: a descriptor was taken by pidfd_getfd. Of the sensor only: what others give away is known
/// by the file.
pub const PART_DESCRIPTOR: u32 = 6;
/// Part of a process, behind [`OPERATION_REACH`]: `/proc/kcore` was opened: the memory of all.
pub const PART_KERNEL_MEMORY: u32 = 7;
/// Part of a process, behind [`OPERATION_REACH`]: `/dev/mem` was opened: the memory of all.
pub const PART_PHYSICAL_MEMORY: u32 = 8;
/// Part of a process, behind [`OPERATION_REACH`]: a block device was opened: the files of all.
pub const PART_BLOCK_DEVICE: u32 = 9;
/// Part of a process, behind [`OPERATION_REACH`]: it asked to be traced by its parent, who is the one that reached for it.
pub const PART_TRACEME: u32 = 10;
/// Part of a process, behind [`OPERATION_REACH`]: it was created by a process that is traced, and is traced by the same.
pub const PART_TRACED_FROM_START: u32 = 11;
/// Part of a process, behind [`OPERATION_REACH`]: process_vm_writev. Of the sensor only.
pub const PART_VM_WRITE: u32 = 12;
/// Part of a process, behind [`OPERATION_REACH`]: process_madvise. Of the sensor only.
pub const PART_ADVICE: u32 = 13;
/// Part of a process, behind [`OPERATION_REACH`]: the files of a subvolume of btrfs were read past the calls that open them: the files of all.
pub const PART_SUBVOLUME: u32 = 14;

/// What a process keeps to itself was reached for by another.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct ProcessSecretRecord {
    /// Begins every record.
    pub header: RecordHeader,
    /// Who: of [`PART_TRACEME`] and [`PART_TRACED_FROM_START`] who traces, who need not be the one that runs.
    pub task: TaskSnapshot,
    /// What of whom, and how it ended: what the repeats are counted under.
    pub key: RepeatKey,
    /// Whose, where the kernel half could tell; otherwise zeros.
    pub target: Ancestor,
    /// The process id that was given, in the caller's pid namespace; 0 where `target` tells, or where all are meant.
    pub given_pid: u32,
    /// For a block device, or the file system of a subvolume: its number in the kernel's encoding; otherwise 0.
    pub device: u32,
    /// Of a descriptor that was found open, the earliest time at which the process may have come to it, in nanoseconds since boot; otherwise 0.
    pub since_boot_ns: u64,
    /// 1 where that was found by the first look: it was open before anybody watched.
    pub pre_existing: u32,
    /// Zero.
    pub reserved: u32,
}
