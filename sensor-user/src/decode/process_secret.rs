//! Reaching for what a process keeps to itself.

use claviger_sensor_common::{
    OPERATION_HOLD, OPERATION_INHERIT, OPERATION_REACH, OPERATION_RECEIVE, PART_ADVICE, PART_BLOCK_DEVICE,
    PART_DESCRIPTOR, PART_ENVIRON, PART_KERNEL_MEMORY, PART_MAPS, PART_MEM, PART_PHYSICAL_MEMORY,
    PART_PTRACE, PART_SUBVOLUME, PART_TRACED_FROM_START, PART_TRACEME, PART_VM_READ, PART_VM_WRITE,
    ProcessSecretRecord, REACHED_BY_AT, RepeatKey,
};

use super::{Access, DecodeError, ProcessKey, Task, numbers::stat_device, record::access_of_bits};

/// What of a process, or of all, was reached for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SecretPart {
    /// Its environment.
    Environ,
    /// Its memory, by procfs.
    Mem,
    /// The layout of its memory.
    Maps,
    /// Everything: it was attached to.
    Ptrace,
    /// Its memory, by process_vm_readv.
    VmRead,
    /// Everything: it asked for it to be traced by its parent.
    TraceMe,
    /// Everything: its creator was traced so that it is too.
    TracedFromStart,
    /// A descriptor of it.
    Descriptor,
    /// Its memory was written, by process_vm_writev.
    VmWrite,
    /// How the kernel keeps its memory was changed, by process_madvise.
    Advice,
    /// The memory of the kernel, `/proc/kcore`.
    KernelMemory,
    /// The memory of the machine, `/dev/mem`.
    PhysicalMemory,
    /// A block device, by its `st_rdev`.
    BlockDevice(u64),
    /// The files of a subvolume of btrfs, whose file system has this number, as `st_rdev` has that of a device.
    Subvolume(u64),
}

impl SecretPart {
    /// Whether the kernel half counts repeats of it: a process is created once.
    #[must_use]
    pub fn repeats(self) -> bool {
        self != Self::TracedFromStart
    }
}

/// Whose it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// This process's.
    Process(ProcessKey),
    /// The process's that has this id in the pid namespace of who reached for it.
    Given(u32),
    /// Everybody's, or one's who had ended.
    Unnamed,
}

/// What a process keeps to itself was reached for by another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProcessSecret {
    /// Nanoseconds since boot.
    pub time_boot_ns: u64,
    /// Who.
    pub task: Task,
    /// Whose.
    pub target: Target,
    /// What the kernel half counts repeats under.
    pub key: RepeatKey,
    /// What of it.
    pub part: SecretPart,
    /// The errno of a refusal, positive; 0 where it was allowed.
    pub errno: u32,
    /// What it is open for, where it was opened.
    pub access: Access,
    /// How a descriptor of it came to the process.
    pub came: Came,
}

/// How a descriptor of what was reached for came to the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Came {
    /// It was opened, or there is none.
    Opened,
    /// A program was started that has it open from before.
    Inherited,
    /// It came from another process.
    Received,
    /// It was found open.
    Found {
        /// Whether it was so before anybody watched.
        pre_existing: bool,
        /// The earliest time at which the process may have come to it, in nanoseconds since boot.
        since_boot_ns: u64,
    },
}

impl Came {
    fn from_record(record: &ProcessSecretRecord) -> Result<Self, DecodeError> {
        match record.key.access >> REACHED_BY_AT {
            0 => Ok(Self::Opened),
            OPERATION_INHERIT => Ok(Self::Inherited),
            OPERATION_RECEIVE => Ok(Self::Received),
            OPERATION_HOLD => Ok(Self::Found {
                pre_existing: record.pre_existing != 0,
                since_boot_ns: record.since_boot_ns,
            }),
            value => Err(DecodeError::OutOfRange {
                field: "access",
                value,
            }),
        }
    }
}

impl ProcessSecret {
    pub(super) fn from_record(record: &ProcessSecretRecord) -> Result<Self, DecodeError> {
        Ok(Self {
            time_boot_ns: record.header.time_boot_ns,
            task: Task::from(&record.task),
            target: match (record.target.pid, record.given_pid) {
                (0, 0) => Target::Unnamed,
                (0, given) => Target::Given(given),
                _ => Target::Process((&record.target).into()),
            },
            key: record.key,
            part: secret_part(record.key.operation, record.device)?,
            errno: record.key.errno,
            access: access_of_bits(record.key.access),
            came: Came::from_record(record)?,
        })
    }
}

fn secret_part(operation: u32, device: u32) -> Result<SecretPart, DecodeError> {
    match operation.wrapping_sub(OPERATION_REACH) {
        PART_ENVIRON => Ok(SecretPart::Environ),
        PART_MEM => Ok(SecretPart::Mem),
        PART_MAPS => Ok(SecretPart::Maps),
        PART_PTRACE => Ok(SecretPart::Ptrace),
        PART_VM_READ => Ok(SecretPart::VmRead),
        PART_ADVICE => Ok(SecretPart::Advice),
        PART_VM_WRITE => Ok(SecretPart::VmWrite),
        PART_TRACEME => Ok(SecretPart::TraceMe),
        PART_TRACED_FROM_START => Ok(SecretPart::TracedFromStart),
        PART_DESCRIPTOR => Ok(SecretPart::Descriptor),
        PART_KERNEL_MEMORY => Ok(SecretPart::KernelMemory),
        PART_PHYSICAL_MEMORY => Ok(SecretPart::PhysicalMemory),
        PART_SUBVOLUME => Ok(SecretPart::Subvolume(stat_device(device))),
        PART_BLOCK_DEVICE => Ok(SecretPart::BlockDevice(stat_device(device))),
        _ => Err(DecodeError::OutOfRange {
            field: "operation",
            value: operation,
        }),
    }
}
