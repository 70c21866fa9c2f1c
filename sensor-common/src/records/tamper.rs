//! What is done to the sensor.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::{GivenPath, RecordHeader, RepeatKey, TaskSnapshot};

/// Behind [`super::OPERATION_TAMPER`]: a signal to it. `number` is the signal, `id` the process or thread id given where it was refused and 0
/// where it was sent.
pub const TAMPER_SIGNAL: u32 = 1;
/// Behind [`super::OPERATION_TAMPER`]: as [`TAMPER_SIGNAL`], refused, where a process file descriptor was given: `id` is its number.
pub const TAMPER_SIGNAL_BY_DESCRIPTOR: u32 = 2;
/// Behind [`super::OPERATION_TAMPER`]: `bpf()` on a map of the sensor. `number` is the command, `id` the map's.
pub const TAMPER_MAP: u32 = 3;
/// Behind [`super::OPERATION_TAMPER`]: `bpf()` on a program of the sensor. `number` is the command, `id` the program's.
pub const TAMPER_PROGRAM: u32 = 4;
/// Behind [`super::OPERATION_TAMPER`]: `bpf()` on a link of the sensor. `number` is the command, `id` the link's.
pub const TAMPER_LINK: u32 = 5;
/// Behind [`super::OPERATION_TAMPER`]: something was mounted somewhere. `number` has `COVERS_` bits, of what lies there; 0 where only the path is
/// known, of which the agent knows whether it leads to a file of its own.
pub const TAMPER_MOUNT: u32 = 6;
/// Behind [`super::OPERATION_TAMPER`]: a limit of its process was set. `number` is the resource, `id` the process or thread id given.
pub const TAMPER_LIMIT: u32 = 7;
/// Behind [`super::OPERATION_TAMPER`]: how a thread of it is scheduled was set. `number` is the system call, `id` the thread id given.
pub const TAMPER_SCHEDULING: u32 = 8;
/// Behind [`super::OPERATION_TAMPER`]: whom the kernel ends first when memory runs out was set. `number` is the new value, as two's complement.
pub const TAMPER_OOM_SCORE: u32 = 9;
/// Behind [`super::OPERATION_TAMPER`]: it was moved to another cgroup, whose path is given.
pub const TAMPER_CGROUP: u32 = 10;
/// Behind [`super::OPERATION_TAMPER`]: its cgroup, whose path is given, was frozen.
pub const TAMPER_FREEZE: u32 = 11;
/// Behind [`super::OPERATION_TAMPER`]: a setting of the kernel was written without which hooks do not run. Its name is given.
pub const TAMPER_SETTING: u32 = 12;
/// Behind [`super::OPERATION_TAMPER`]: as [`TAMPER_SCHEDULING`], of a process group that may be its: `id` is the one given, 0 where it is the caller's own,
/// and then the sensor is in it.
pub const TAMPER_SCHEDULING_GROUP: u32 = 13;
/// Behind [`super::OPERATION_TAMPER`]: as [`TAMPER_SCHEDULING`], of a user that it may run as: `id` is the one meant, as the kernel has it;
/// [`crate::UNKNOWN_ID`] where that is not known.
pub const TAMPER_SCHEDULING_USER: u32 = 14;

/// A file of the sensor, or a directory of its own, or a file in one.
pub const COVERS_OWN: u32 = 1;
/// A directory above such.
pub const COVERS_ABOVE: u32 = 2;

/// Something was done to the sensor, or may have been.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct TamperRecord {
    /// Begins every record.
    pub header: RecordHeader,
    /// Who.
    pub task: TaskSnapshot,
    /// What, and how it ended: what the repeats are counted under. Mounts are not counted.
    pub key: RepeatKey,
    /// Which, by the `TAMPER_` value.
    pub number: u32,
    /// To which, by the `TAMPER_` value.
    pub id: u32,
    /// The path; nothing is given where there is none.
    pub path: GivenPath,
}
