//! A file found open.

use std::sync::Arc;

use claviger_sensor_common::HeldRecord;

use super::{
    DecodeError, FilePath, FileUse, Task,
    record::{access_of_bits, file_operation, matched},
};

/// A file that may be a credential was found open or mapped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// Who has it, what, and how.
    pub file: FileUse,
    /// Whether it was so before anybody watched.
    pub pre_existing: bool,
    /// The earliest time at which the process may have come to it, in nanoseconds since boot.
    pub since_boot_ns: u64,
}

impl Held {
    pub(super) fn decode(time_boot_ns: u64, record: &HeldRecord) -> Result<Self, DecodeError> {
        Ok(Self {
            file: FileUse {
                time_boot_ns,
                task: Arc::new(Task::from(&record.task)),
                key: record.key,
                object: record.key.object.into(),
                operation: file_operation(record.key.operation)?,
                matched: matched(record.matched, record.label.id)?,
                access: access_of_bits(record.key.access),
                version: None,
                path: FilePath::from_record(&record.path)?,
            },
            pre_existing: record.pre_existing != 0,
            since_boot_ns: record.since_boot_ns,
        })
    }
}
