//! What a program start truly runs, where its executable only carries it out: a script by its interpreter, a program by the dynamic loader, an
//! applet of a program of many names.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::{Ancestor, PathBytes, RecordHeader};
use crate::limits::{APPLET_BYTES, PROGRAM_GIVEN_BYTES};

/// A mark of an executable: it has no name any more.
pub const MARK_DELETED: u32 = 1;
/// A mark of an executable: it was made in memory, by memfd_create(2).
pub const MARK_MEMFD: u32 = 2;
/// A mark of an executable: it lies in the upper layer of an overlay, so it was added or changed since.
pub const MARK_UPPER_LAYER: u32 = 4;
/// A mark of an executable: it lies in an overlay of which this kernel does not tell the layers.
pub const MARK_LAYER_UNKNOWN: u32 = 8;

/// [`super::ExecRecord::runs`]: the kernel was given a file that is no executable of its own, and started its interpreter.
pub const RUNS_SCRIPT: u32 = 1;
/// [`super::ExecRecord::runs`]: the executable is an interpreter by its name.
pub const RUNS_INTERPRETER: u32 = 2;
/// [`super::ExecRecord::runs`]: the executable is the dynamic loader by its name, started itself.
pub const RUNS_LOADER: u32 = 4;
/// [`super::ExecRecord::runs`]: the executable is a program of many names.
pub const RUNS_APPLET: u32 = 8;
/// [`super::ExecRecord::runs`]: a [`ProgramRecord`] of this start follows.
pub const RUNS_TOLD: u32 = 16;

/// [`super::ExecRecord::not_told`]: there are no arguments.
pub const NOT_TOLD_NO_ARGUMENT: u32 = 2;
/// [`super::ExecRecord::not_told`]: the arguments could not be read.
pub const NOT_TOLD_UNREADABLE: u32 = 3;

/// [`ProgramRecord::how`]: the kernel was given this file, and it is told as an object.
pub const PROGRAM_SCRIPT_FILE: u32 = 1;
/// [`ProgramRecord::how`]: the kernel was given this path.
pub const PROGRAM_SCRIPT_PATH: u32 = 2;
/// [`ProgramRecord::how`]: the arguments of an interpreter, which say what it runs.
pub const PROGRAM_ARGUMENTS: u32 = 3;
/// [`ProgramRecord::how`]: the first file that the dynamic loader mapped.
pub const PROGRAM_MAPPED: u32 = 4;

/// What is run beside the executable.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct ProgramRecord {
    /// Begins every record.
    pub header: RecordHeader,
    /// Who, with the number of this program run.
    pub process: Ancestor,
    /// One of the `PROGRAM_` values; 0 where only an applet is told.
    pub how: u32,
    /// Bytes used of `applet`.
    pub applet_length: u32,
    /// Its inode, where it is told as an object.
    pub inode: u64,
    /// Superblock device of it in the kernel's encoding.
    pub device: u32,
    /// What marks it: `MARK_` bits.
    pub marks: u32,
    /// Bytes used of `given`.
    pub given_length: u32,
    /// 1 where `given` was cut.
    pub given_truncated: u32,
    /// The letters that the name of the interpreter begins with ([`crate::NameWord`]), where its arguments are told; 0 otherwise.
    pub interpreter: u64,
    /// The name by which a program of many names was called; what stands behind `applet_length` means nothing.
    pub applet: [u8; APPLET_BYTES],
    /// The path as it was given, or arguments, each with a 0 behind it; what stands behind `given_length` means nothing. Arguments may hold
    /// anything: none is to go anywhere before it was found to be the path of a file.
    pub given: [u8; PROGRAM_GIVEN_BYTES],
    /// Where the object lies; where there is none, the working directory, at which `given` starts.
    pub path: PathBytes,
}
