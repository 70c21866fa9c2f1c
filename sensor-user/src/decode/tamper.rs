//! What is done to the sensor.

use claviger_sensor_common::{
    COVERS_OWN, OPERATION_TAMPER, RepeatKey, TAMPER_CGROUP, TAMPER_FREEZE, TAMPER_LIMIT, TAMPER_LINK,
    TAMPER_MAP, TAMPER_MOUNT, TAMPER_OOM_SCORE, TAMPER_PROGRAM, TAMPER_SCHEDULING, TAMPER_SCHEDULING_GROUP,
    TAMPER_SCHEDULING_USER, TAMPER_SETTING, TAMPER_SIGNAL, TAMPER_SIGNAL_BY_DESCRIPTOR, TamperRecord,
};

use super::{
    DecodeError, FilePath, Hold, Task,
    given::{Above, GivenPaths},
};
use crate::kernel::BpfObject;

/// Something was done to the sensor, or may have been.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tamper {
    /// Nanoseconds since boot.
    pub time_boot_ns: u64,
    /// Who.
    pub task: Task,
    /// What the kernel half counts repeats under.
    pub key: RepeatKey,
    /// What.
    pub done: Done,
    /// The errno, positive; 0 where it succeeded.
    pub errno: u32,
}

/// What was done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Done {
    /// A signal was sent.
    Signal(u32),
    /// A signal was refused, to the process or thread of this id in the sender's pid namespace.
    RefusedSignal {
        /// Its number.
        number: u32,
        /// To whom.
        given: u32,
    },
    /// A signal was refused, to the process behind this descriptor of the sender.
    RefusedSignalByDescriptor {
        /// Its number.
        number: u32,
        /// The descriptor.
        descriptor: u32,
    },
    /// `bpf()` with this command.
    Bpf {
        /// A command of `bpf(2)`.
        command: u32,
        /// To which.
        object: BpfObject,
    },
    /// Something was mounted.
    Mount {
        /// Here, by names alone.
        path: FilePath,
        /// The same above the root of who did it, where that is not the sensor's tree as it is.
        above: Option<Above>,
        /// What lies there.
        covers: Covers,
    },
    /// It was starved, or held still.
    Held {
        /// How.
        how: Hold,
        /// The thread or group that was named, in the caller's pid namespace; 0 where the kernel half knows that it is the sensor's. Or the user, as the
        /// kernel has it.
        given: u32,
    },
}

impl Done {
    /// Whether the kernel half counts repeats of it. What is told with a path is told each time.
    #[must_use]
    pub fn repeats(&self) -> bool {
        match self {
            Self::Mount { .. } => false,
            Self::Held { how, .. } => how.repeats(),
            _ => true,
        }
    }
}

/// What a mount covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Covers {
    /// A file of the sensor's, or a directory.
    Own,
    /// A directory above one.
    Above,
    /// Only the path is known, or it is nothing of the sensor's.
    Unknown,
}

impl Tamper {
    pub(super) fn from_record(record: &TamperRecord) -> Result<Self, DecodeError> {
        let TamperRecord { number, id, .. } = *record;
        let bpf = |object| Done::Bpf {
            command: number,
            object,
        };
        let given = || GivenPaths::of(&record.path);
        let held = |how| Done::Held { how, given: id };
        let done = match record.key.operation.wrapping_sub(OPERATION_TAMPER) {
            TAMPER_SIGNAL if id == 0 => Done::Signal(number),
            TAMPER_SIGNAL => Done::RefusedSignal { number, given: id },
            TAMPER_SIGNAL_BY_DESCRIPTOR => Done::RefusedSignalByDescriptor {
                number,
                descriptor: id,
            },
            TAMPER_MAP => bpf(BpfObject::Map(id)),
            TAMPER_PROGRAM => bpf(BpfObject::Program(id)),
            TAMPER_LINK => bpf(BpfObject::Link(id)),
            TAMPER_MOUNT => {
                let GivenPaths { path, above } = given()?;
                let covers = match number {
                    0 => Covers::Unknown,
                    bits if bits & COVERS_OWN != 0 => Covers::Own,
                    _ => Covers::Above,
                };
                Done::Mount { path, above, covers }
            }
            TAMPER_LIMIT => held(Hold::Limit(number)),
            TAMPER_SCHEDULING => held(Hold::Scheduling(number)),
            TAMPER_SCHEDULING_GROUP => held(Hold::SchedulingOfGroup(number)),
            TAMPER_SCHEDULING_USER => held(Hold::SchedulingOfUser(number)),
            TAMPER_OOM_SCORE => held(Hold::OomScore(number.cast_signed())),
            TAMPER_CGROUP => held(Hold::Moved(given()?.path)),
            TAMPER_FREEZE => held(Hold::Frozen(given()?.path)),
            TAMPER_SETTING => held(Hold::Setting(given()?.path)),
            _ => {
                return Err(DecodeError::OutOfRange {
                    field: "operation",
                    value: record.key.operation,
                });
            }
        };
        Ok(Self {
            time_boot_ns: record.header.time_boot_ns,
            task: Task::from(&record.task),
            key: record.key,
            done,
            errno: record.key.errno,
        })
    }
}
