//! A core dump.

use claviger_sensor_common::CoreDumpRecord;

use super::{DecodeError, FilePath, Task};

/// The core of a process was written that may have held a credential.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CoreDump {
    /// Nanoseconds since boot.
    pub time_boot_ns: u64,
    /// Who: the process whose memory it was.
    pub task: Task,
    /// The signal that ended it.
    pub signal: u32,
    /// Its working directory.
    pub directory: FilePath,
}

impl TryFrom<&CoreDumpRecord> for CoreDump {
    type Error = DecodeError;

    fn try_from(record: &CoreDumpRecord) -> Result<Self, DecodeError> {
        Ok(Self {
            time_boot_ns: record.header.time_boot_ns,
            task: Task::from(&record.task),
            signal: record.signal,
            directory: FilePath::from_record(&record.directory)?,
        })
    }
}
