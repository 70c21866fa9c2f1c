//! Uses of keys of the kernel's keyrings.

use claviger_sensor_common::{KernelKeyRecord, RepeatKey};

use super::{DecodeError, Task};

/// A key was read or given to others, or that was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KernelKey {
    /// Nanoseconds since boot.
    pub time_boot_ns: u64,
    /// Who.
    pub task: Task,
    /// What the kernel half counts repeats under.
    pub key: RepeatKey,
    /// Serial number; negative for a keyring that is named by what it is to the process.
    pub serial: i32,
    /// What was done.
    pub operation: KeyOperation,
    /// The errno, positive; 0 where it succeeded.
    pub errno: u32,
}

/// What is done with a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyOperation {
    /// It is read.
    Read,
    /// Others are given rights on it.
    SetPermission,
    /// Another user or group is given it.
    ChangeOwner,
}

impl KernelKey {
    pub(super) fn from_record(record: &KernelKeyRecord) -> Result<Self, DecodeError> {
        let command = record.key.object.device;
        let operation = match command {
            4 => KeyOperation::ChangeOwner,
            5 => KeyOperation::SetPermission,
            11 => KeyOperation::Read,
            value => {
                return Err(DecodeError::OutOfRange {
                    field: "keyctl command",
                    value,
                });
            }
        };
        // Numbers wider than the call's are none that the kernel half writes.
        let serial = u32::try_from(record.key.object.inode).map_err(|_| DecodeError::OutOfRange {
            field: "serial",
            value: u32::MAX,
        })?;
        Ok(Self {
            time_boot_ns: record.header.time_boot_ns,
            task: Task::from(&record.task),
            key: record.key,
            serial: serial.cast_signed(),
            operation,
            errno: record.key.errno,
        })
    }
}
