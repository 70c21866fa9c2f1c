//! The records.

use claviger_sensor_common::{
    DeniedRecord, ExecRecord, ExitRecord, ForkRecord, MATCHED_DIRECTORY_PATTERN, MATCHED_NAME,
    MATCHED_OBJECT, OPENED_FOR_READING, OPENED_FOR_WRITING, ObjectKey, OpenRecord, RECORD_DENIED,
    RECORD_EXEC, RECORD_EXIT, RECORD_FORK, RECORD_OPEN, RecordHeader,
};
use zerocopy::{FromBytes, Immutable, KnownLayout};

use super::{DecodeError, FilePath, ProcessKey, Task, numbers::stat_device};

/// One record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    /// A file was opened that may be a credential.
    Open(Box<Open>),
    /// An open was refused.
    Denied(Box<Denied>),
    /// A process started a program.
    Exec(Box<Exec>),
    /// A process was created.
    Fork {
        /// The new process.
        child: ProcessKey,
        /// Who created it.
        parent: ProcessKey,
    },
    /// A process ended.
    Exit {
        /// The process.
        process: ProcessKey,
    },
}

/// What a descriptor was opened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Reading.
    Read,
    /// Writing.
    Write,
    /// Both.
    ReadWrite,
    /// Neither, or not known.
    Unknown,
}

/// How a file was recognised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Match {
    /// The object is labelled; the label's id.
    Object(u32),
    /// The name is known in a labelled directory; the name's label.
    Name(u32),
    /// The directory takes patterns; the directory's label. The name has yet to be looked at.
    DirectoryPattern(u32),
}

/// A file as user space knows it, with the key that the kernel half knows it by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Object {
    /// The kernel's own numbers.
    pub key: ObjectKey,
    /// `st_dev` of its superblock's device.
    pub device: u64,
}

impl From<ObjectKey> for Object {
    fn from(key: ObjectKey) -> Self {
        Self {
            key,
            device: stat_device(key.device),
        }
    }
}

/// A file was opened that may be a credential.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Open {
    /// Nanoseconds since boot.
    pub time_boot_ns: u64,
    /// Who.
    pub task: Task,
    /// What.
    pub object: Object,
    /// How it was recognised.
    pub matched: Match,
    /// What for.
    pub access: Access,
    /// Where.
    pub path: FilePath,
}

/// An open was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denied {
    /// Nanoseconds since boot.
    pub time_boot_ns: u64,
    /// Who.
    pub task: Task,
    /// The errno, positive.
    pub errno: u32,
    /// What for.
    pub access: Access,
    /// Where, by names alone.
    pub path: FilePath,
}

/// A process started a program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exec {
    /// Nanoseconds since boot.
    pub time_boot_ns: u64,
    /// Who, after the change.
    pub task: Task,
    /// The program.
    pub exe: FilePath,
}

/// Decodes one record.
///
/// # Errors
/// [`DecodeError`].
pub fn decode(bytes: &[u8]) -> Result<Record, DecodeError> {
    let header: RecordHeader = prefix(bytes, 0)?;
    let time_boot_ns = header.time_boot_ns;
    match header.kind {
        RECORD_OPEN => {
            let record: OpenRecord = prefix(bytes, header.kind)?;
            Ok(Record::Open(Box::new(Open {
                time_boot_ns,
                task: Task::from(&record.task),
                object: record.object.into(),
                matched: matched(record.matched, record.label.id)?,
                access: access(
                    record.access & OPENED_FOR_READING != 0,
                    record.access & OPENED_FOR_WRITING != 0,
                ),
                path: FilePath::from_record(&record.path)?,
            })))
        }
        RECORD_DENIED => {
            let record: DeniedRecord = prefix(bytes, header.kind)?;
            let (reads, writes) = access_mode(record.flags);
            Ok(Record::Denied(Box::new(Denied {
                time_boot_ns,
                task: Task::from(&record.task),
                errno: record.errno,
                access: access(reads, writes),
                path: given_path(&record)?,
            })))
        }
        RECORD_EXEC => {
            let record: ExecRecord = prefix(bytes, header.kind)?;
            let exe = FilePath::from_record(&record.exe)?;
            Ok(Record::Exec(Box::new(Exec {
                time_boot_ns,
                task: Task::from(&record.task),
                exe,
            })))
        }
        RECORD_FORK => {
            let record: ForkRecord = prefix(bytes, header.kind)?;
            Ok(Record::Fork {
                child: (&record.child).into(),
                parent: (&record.parent).into(),
            })
        }
        RECORD_EXIT => {
            let record: ExitRecord = prefix(bytes, header.kind)?;
            Ok(Record::Exit {
                process: (&record.process).into(),
            })
        }
        kind => Err(DecodeError::UnknownKind(kind)),
    }
}

/// The ring rounds records up to eight bytes, so what is behind is left alone.
fn prefix<T: FromBytes + KnownLayout + Immutable>(bytes: &[u8], kind: u32) -> Result<T, DecodeError> {
    T::read_from_prefix(bytes)
        .map(|(record, _rest)| record)
        .map_err(|_| DecodeError::TooShort {
            kind,
            got: bytes.len(),
            needed: size_of::<T>(),
        })
}

fn matched(how: u32, label: u32) -> Result<Match, DecodeError> {
    match how {
        MATCHED_OBJECT => Ok(Match::Object(label)),
        MATCHED_NAME => Ok(Match::Name(label)),
        MATCHED_DIRECTORY_PATTERN => Ok(Match::DirectoryPattern(label)),
        value => Err(DecodeError::OutOfRange {
            field: "matched",
            value,
        }),
    }
}

const fn access(reads: bool, writes: bool) -> Access {
    match (reads, writes) {
        (true, false) => Access::Read,
        (false, true) => Access::Write,
        (true, true) => Access::ReadWrite,
        (false, false) => Access::Unknown,
    }
}

/// O_ACCMODE of open(2): 0 reads, 1 writes, 2 both, 3 neither.
const fn access_mode(flags: u32) -> (bool, bool) {
    match flags & 3 {
        0 => (true, false),
        1 => (false, true),
        2 => (true, true),
        _ => (false, false),
    }
}

fn given_path(record: &DeniedRecord) -> Result<FilePath, DecodeError> {
    let out_of_range = DecodeError::OutOfRange {
        field: "given_length",
        value: record.given_length,
    };
    let length = usize::try_from(record.given_length).map_err(|_| out_of_range)?;
    let given = record.given.get(..length).ok_or(out_of_range)?;
    let mut path = FilePath::from_record(&record.base)?.join(given);
    path.truncated |= record.given_truncated != 0;
    Ok(path)
}

#[cfg(test)]
mod tests;
