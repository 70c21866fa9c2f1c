//! Programs that are started with a credential in their environment or arguments, or with variables by which they load code.

use claviger_sensor_common::ProgramSecretRecord;

use super::{DecodeError, Task};

/// A program was started with credentials in its environment or arguments, or with variables by which it loads code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProgramSecret {
    /// Nanoseconds since boot.
    pub time_boot_ns: u64,
    /// Who, after the change.
    pub task: Task,
    /// Their names.
    pub found: Vec<SecretName>,
    /// How many more there are.
    pub left_out: u32,
    /// Whether not the whole environment was looked at.
    pub unread: bool,
}

/// The name of a credential or of such a variable, as a process has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretName {
    /// The hash under which it is known.
    pub hash: u64,
    /// One of the `PLACE_` values, not yet looked at.
    pub place: u32,
    /// What it is called; to be confirmed before it goes anywhere.
    pub name: Vec<u8>,
}

impl ProgramSecret {
    pub(super) fn from_record(record: &ProgramSecretRecord) -> Result<Self, DecodeError> {
        let out_of_range = |field, value| DecodeError::OutOfRange { field, value };
        let found = usize::try_from(record.count)
            .ok()
            .and_then(|count| record.found.get(..count))
            .ok_or(out_of_range("count", record.count))?;
        let found = found.iter().map(|found| {
            let length = usize::try_from(found.length).ok();
            let name = length
                .and_then(|length| found.name.get(..length))
                .ok_or(out_of_range("length", found.length))?;
            Ok(SecretName {
                hash: found.hash,
                place: found.place,
                name: name.to_vec(),
            })
        });
        Ok(Self {
            time_boot_ns: record.header.time_boot_ns,
            task: Task::from(&record.task),
            found: found.collect::<Result<_, _>>()?,
            left_out: record.left_out,
            unread: record.unread != 0,
        })
    }
}
