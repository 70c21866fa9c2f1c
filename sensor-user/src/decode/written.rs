//! A file that may become the copy of a credential.

use claviger_sensor_common::WrittenRecord;

use super::{DecodeError, FilePath, Marks, Object, ProcessKey};

/// A process that has read a credential may write this file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// Who.
    pub writer: ProcessKey,
    /// How many programs the process had started.
    pub exec_id: u64,
    /// The file.
    pub object: Object,
    /// What marks it.
    pub marks: Marks,
    /// Where.
    pub path: FilePath,
}

impl TryFrom<&WrittenRecord> for Written {
    type Error = DecodeError;

    fn try_from(record: &WrittenRecord) -> Result<Self, DecodeError> {
        Ok(Self {
            writer: (&record.writer).into(),
            exec_id: record.exec_id,
            object: record.object.into(),
            marks: Marks::new(record.marks),
            path: FilePath::from_record(&record.path)?,
        })
    }
}
