//! A directory of credentials that was listed.

use claviger_sensor_common::{DirectoryListRecord, RepeatKey};

use super::{DecodeError, FilePath, Object, Task};

/// A directory in which credentials lie was listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DirectoryList {
    /// Nanoseconds since boot.
    pub time_boot_ns: u64,
    /// Who.
    pub task: Task,
    /// What the kernel half counts repeats under.
    pub key: RepeatKey,
    /// The directory.
    pub object: Object,
    /// Its label's id.
    pub label: u32,
    /// Where.
    pub path: FilePath,
}

impl TryFrom<&DirectoryListRecord> for DirectoryList {
    type Error = DecodeError;

    fn try_from(record: &DirectoryListRecord) -> Result<Self, DecodeError> {
        Ok(Self {
            time_boot_ns: record.header.time_boot_ns,
            task: Task::from(&record.task),
            key: record.key,
            object: record.key.object.into(),
            label: record.label.id,
            path: FilePath::from_record(&record.path)?,
        })
    }
}
