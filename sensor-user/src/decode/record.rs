//! The records.

use std::sync::Arc;

use claviger_sensor_common::{
    ABOVE_ELSEWHERE, ABOVE_NOTHING, ABOVE_OUTSIDE, ABOVE_ROOT, ABOVE_UNKNOWN, AttemptRecord, CoreDumpRecord,
    DirectoryListRecord, ExecRecord, ExitRecord, FileUseRecord, FileVersion, ForkRecord, HeldRecord,
    MATCHED_BELOW, MATCHED_DIRECTORY_PATTERN, MATCHED_NAME, MATCHED_OBJECT, OPENED_FOR_READING,
    OPENED_FOR_WRITING, OPERATION_HOLD, OPERATION_INHERIT, OPERATION_MAP, OPERATION_OPEN, OPERATION_RECEIVE,
    ObjectKey, ProcessSecretRecord, RECORD_AGENT_SOCKET, RECORD_ATTEMPT, RECORD_CHANGE, RECORD_CONNECT,
    RECORD_CORE_DUMP, RECORD_DIRECTORY_LIST, RECORD_EXEC, RECORD_EXIT, RECORD_FILE_USE, RECORD_FORK,
    RECORD_HELD, RECORD_KERNEL_KEY, RECORD_PACKET, RECORD_PROCESS_SECRET, RECORD_PROGRAM,
    RECORD_PROGRAM_SECRET, RECORD_TAMPER, RECORD_WRITTEN, RecordHeader, RepeatKey, RootPlace, WrittenRecord,
};
use zerocopy::{FromBytes, Immutable, KnownLayout};

use super::{
    AgentSocket, Change, Connect, CoreDump, DecodeError, DirectoryList, End, FilePath, Held, KernelKey,
    Marks, Packet, ProcessKey, ProcessSecret, Program, ProgramSecret, Runs, Tamper, Task, Written,
    numbers::stat_device,
};

/// One record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    /// A file was used that may be a credential.
    FileUse(Box<FileUse>),
    /// A file that may be a credential was found open or mapped.
    Held(Box<Held>),
    /// An open of which only the path is known.
    Attempt(Box<Attempt>),
    /// What a process keeps to itself was reached for by another.
    ProcessSecret(Box<ProcessSecret>),
    /// The core of a process was written that may have held a credential.
    CoreDump(Box<CoreDump>),
    /// A program was started with credentials in its environment or arguments.
    ProgramSecret(Box<ProgramSecret>),
    /// A key of the kernel's keyrings was used.
    KernelKey(Box<KernelKey>),
    /// A connection to a socket of this host.
    AgentSocket(Box<AgentSocket>),
    /// An endpoint of the catalogue was asked for.
    Connect(Box<Connect>),
    /// A packet of a socket that is watched.
    Packet(Box<Packet>),
    /// Something was done to the sensor.
    Tamper(Box<Tamper>),
    /// A directory of credentials was listed.
    DirectoryList(Box<DirectoryList>),
    /// A process that has read a credential may write a file.
    Written(Box<Written>),
    /// A file that may be a credential was changed.
    Change(Box<Change>),
    /// A process started a program.
    Exec(Box<Exec>),
    /// What a program start runs beside its executable.
    Program(Box<Program>),
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

/// What was done with a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileOperation {
    /// It was opened.
    Open,
    /// It was mapped into memory.
    Map,
    /// A program was started with it open.
    Inherit,
    /// Its open descriptor came from another process.
    Receive,
    /// It was found open, or mapped, and nothing told how the process came to it.
    Hold,
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
    /// The directory above the file's takes directories that appear; its label. Both names have yet to be looked at.
    Below(u32),
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

/// A file was used that may be a credential.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileUse {
    /// Nanoseconds since boot.
    pub time_boot_ns: u64,
    /// Who.
    pub task: Arc<Task>,
    /// What the kernel half counts repeats under.
    pub key: RepeatKey,
    /// What.
    pub object: Object,
    /// What was done with it.
    pub operation: FileOperation,
    /// How it was recognised.
    pub matched: Match,
    /// What the descriptor is good for.
    pub access: Access,
    /// Which version of the file, where it is known.
    pub version: Option<FileVersion>,
    /// Where.
    pub path: FilePath,
}

/// An open of which only the path is known: it was refused, or its end could not be seen, or the kernel opened it itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// Nanoseconds since boot.
    pub time_boot_ns: u64,
    /// Who.
    pub task: Task,
    /// How it ended.
    pub end: End,
    /// What for.
    pub access: Access,
    /// Where, by names alone.
    pub path: FilePath,
    /// Where, as it was given, from the root: what `..` and links lead to is for the kernel to say.
    pub as_given: FilePath,
    /// Whether it began at a directory of the process's, and not at its root.
    pub is_relative: bool,
    /// That root.
    pub root: RootPlace,
    /// From where the path is shown.
    pub start: Start,
}

/// From where the path of an attempt is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// From the root of the process.
    Root,
    /// From the sensor's: it began at a directory that is not below that of the process.
    Outside,
    /// From the top of another tree, in which that directory lies.
    Elsewhere,
}

/// Which tree of files a process sees: by its mount namespace, and the root directory that it has in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct RootId {
    /// The mount namespace's inode number, which is given again once it has ended.
    pub namespace: u32,
    /// A number that no other mount namespace had since boot; 0 where the kernel has none.
    pub sequence: u64,
    /// The root's superblock device in the kernel's encoding.
    pub device: u32,
    /// The root's inode.
    pub inode: u64,
}

/// A process started a program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exec {
    /// Nanoseconds since boot.
    pub time_boot_ns: u64,
    /// Who, after the change.
    pub task: Task,
    /// Which tree of files it sees.
    pub root: RootId,
    /// The program.
    pub exe: FilePath,
    /// What more it runs.
    pub runs: Runs,
}

/// Decodes one record.
///
/// # Errors
/// [`DecodeError`].
pub fn decode(bytes: &[u8]) -> Result<Record, DecodeError> {
    let header: RecordHeader = prefix(bytes, 0)?;
    let time_boot_ns = header.time_boot_ns;
    match header.kind {
        RECORD_FILE_USE => {
            let record: FileUseRecord = prefix(bytes, header.kind)?;
            Ok(Record::FileUse(Box::new(FileUse {
                time_boot_ns,
                task: Arc::new(Task::from(&record.task)),
                key: record.key,
                object: record.key.object.into(),
                operation: file_operation(record.key.operation)?,
                matched: matched(record.matched, record.label.id)?,
                access: access_of_bits(record.key.access),
                version: (record.version != FileVersion::default()).then_some(record.version),
                path: FilePath::from_record(&record.path)?,
            })))
        }
        RECORD_HELD => {
            let record: HeldRecord = prefix(bytes, header.kind)?;
            Ok(Record::Held(Box::new(Held::decode(time_boot_ns, &record)?)))
        }
        RECORD_ATTEMPT => {
            let record: AttemptRecord = prefix(bytes, header.kind)?;
            let (reads, writes) = access_mode(record.flags);
            let end = End::of(record.errno);
            Ok(Record::Attempt(Box::new(Attempt {
                time_boot_ns,
                task: Task::from(&record.task),
                end,
                access: access(reads, writes),
                is_relative: record.given_length == 0 || record.given[0] != b'/',
                root: record.root,
                start: start(record.above)?,
                path: FilePath::given(
                    &record.base,
                    &record.given,
                    record.given_length,
                    record.given_truncated,
                )?,
                as_given: FilePath::given_whole(
                    &record.base,
                    &record.given,
                    record.given_length,
                    record.given_truncated,
                )?,
            })))
        }
        RECORD_PROCESS_SECRET => {
            let record: ProcessSecretRecord = prefix(bytes, header.kind)?;
            Ok(Record::ProcessSecret(Box::new(ProcessSecret::from_record(
                &record,
            )?)))
        }
        RECORD_CORE_DUMP => {
            let record: CoreDumpRecord = prefix(bytes, header.kind)?;
            Ok(Record::CoreDump(Box::new((&record).try_into()?)))
        }
        RECORD_DIRECTORY_LIST => {
            let record: DirectoryListRecord = prefix(bytes, header.kind)?;
            Ok(Record::DirectoryList(Box::new((&record).try_into()?)))
        }
        RECORD_WRITTEN => {
            let record: WrittenRecord = prefix(bytes, header.kind)?;
            Ok(Record::Written(Box::new((&record).try_into()?)))
        }
        RECORD_CHANGE => Ok(Record::Change(Box::new(super::change::decode(bytes)?))),
        RECORD_EXEC => {
            let record: ExecRecord = prefix(bytes, header.kind)?;
            let marks = Marks::new(record.task.exe_marks);
            let exe = FilePath::from_record(&record.exe)?.marked(marks);
            Ok(Record::Exec(Box::new(Exec {
                time_boot_ns,
                task: Task::from(&record.task),
                root: RootId {
                    namespace: record.task.mount_namespace,
                    sequence: record.root.namespace_sequence,
                    device: record.root.device,
                    inode: record.root.inode,
                },
                exe,
                runs: Runs::decode(record.runs, record.not_told)?,
            })))
        }
        RECORD_PROGRAM => Ok(Record::Program(Box::new(Program::from_record(&prefix(
            bytes,
            header.kind,
        )?)?))),
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
        RECORD_PROGRAM_SECRET => Ok(Record::ProgramSecret(Box::new(ProgramSecret::from_record(
            &prefix(bytes, header.kind)?,
        )?))),
        RECORD_AGENT_SOCKET => Ok(Record::AgentSocket(Box::new(AgentSocket::from_record(&prefix(
            bytes,
            RECORD_AGENT_SOCKET,
        )?)?))),
        RECORD_KERNEL_KEY => Ok(Record::KernelKey(Box::new(KernelKey::from_record(&prefix(
            bytes,
            header.kind,
        )?)?))),
        RECORD_CONNECT => Ok(Record::Connect(Box::new(Connect::from_record(&prefix(
            bytes,
            header.kind,
        )?)?))),
        RECORD_PACKET => Ok(Record::Packet(Box::new(Packet::from_record(&prefix(
            bytes,
            header.kind,
        )?)?))),
        RECORD_TAMPER => Ok(Record::Tamper(Box::new(Tamper::from_record(&prefix(
            bytes,
            header.kind,
        )?)?))),
        kind => Err(DecodeError::UnknownKind(kind)),
    }
}

/// The ring rounds records up to eight bytes, so what is behind is left alone.
pub(super) fn prefix<T: FromBytes + KnownLayout + Immutable>(
    bytes: &[u8],
    kind: u32,
) -> Result<T, DecodeError> {
    T::read_from_prefix(bytes)
        .map(|(record, _rest)| record)
        .map_err(|_| DecodeError::TooShort {
            kind,
            got: bytes.len(),
            needed: size_of::<T>(),
        })
}

pub(super) fn matched(how: u32, label: u32) -> Result<Match, DecodeError> {
    match how {
        MATCHED_OBJECT => Ok(Match::Object(label)),
        MATCHED_NAME => Ok(Match::Name(label)),
        MATCHED_DIRECTORY_PATTERN => Ok(Match::DirectoryPattern(label)),
        MATCHED_BELOW => Ok(Match::Below(label)),
        value => Err(DecodeError::OutOfRange {
            field: "matched",
            value,
        }),
    }
}

pub(super) fn file_operation(operation: u32) -> Result<FileOperation, DecodeError> {
    match operation {
        OPERATION_OPEN => Ok(FileOperation::Open),
        OPERATION_MAP => Ok(FileOperation::Map),
        OPERATION_INHERIT => Ok(FileOperation::Inherit),
        OPERATION_RECEIVE => Ok(FileOperation::Receive),
        OPERATION_HOLD => Ok(FileOperation::Hold),
        value => Err(DecodeError::OutOfRange {
            field: "operation",
            value,
        }),
    }
}

pub(super) const fn access_of_bits(bits: u32) -> Access {
    access(bits & OPENED_FOR_READING != 0, bits & OPENED_FOR_WRITING != 0)
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

/// From where a path is shown whose record says this of it.
fn start(above: u32) -> Result<Start, DecodeError> {
    const OUTSIDE: u32 = ABOVE_OUTSIDE | ABOVE_ROOT;
    const ELSEWHERE: u32 = ABOVE_OUTSIDE | ABOVE_ELSEWHERE;
    match above {
        ABOVE_NOTHING => Ok(Start::Root),
        OUTSIDE => Ok(Start::Outside),
        ELSEWHERE | ABOVE_UNKNOWN => Ok(Start::Elsewhere),
        value => Err(DecodeError::OutOfRange {
            field: "above",
            value,
        }),
    }
}

#[cfg(test)]
mod tests;
