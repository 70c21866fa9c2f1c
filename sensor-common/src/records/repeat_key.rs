//! What repeats are counted under.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::labels::ObjectKey;

/// [`RepeatKey::operation`]: a file was opened.
pub const OPERATION_OPEN: u32 = 1;
/// [`RepeatKey::operation`]: a file was mapped into memory.
pub const OPERATION_MAP: u32 = 2;
/// [`RepeatKey::operation`]: a program was started with a file open.
pub const OPERATION_INHERIT: u32 = 3;
/// [`RepeatKey::operation`]: a file's open descriptor came from another process.
pub const OPERATION_RECEIVE: u32 = 4;
/// [`RepeatKey::operation`]: a file was found open, or mapped, by the look through all open descriptors.
pub const OPERATION_HOLD: u32 = 5;
/// [`RepeatKey::operation`]: a process, or the memory of all, was reached for; a `PART_` value is added.
pub const OPERATION_REACH: u32 = 16;
/// Where in [`RepeatKey::access`] of what was reached for it stands how a descriptor of it came to the process, by the `OPERATION_` of a file; 0 there where it
/// was opened, and for what has no descriptor.
pub const REACHED_BY_AT: u32 = 8;
/// [`RepeatKey::operation`]: something was done to the sensor; a `TAMPER_` value is added.
pub const OPERATION_TAMPER: u32 = 64;

/// [`RepeatKey::operation`]: a key of the kernel's keyrings was used.
pub const OPERATION_KEY: u32 = 96;
/// [`RepeatKey::operation`]: a directory was listed.
pub const OPERATION_LIST: u32 = 112;
/// [`RepeatKey::operation`]: connecting to a socket of this host.
pub const OPERATION_SOCKET: u32 = 113;

/// What repeats are counted under: one use by one program run, never merged with another.
#[repr(C)]
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    FromBytes,
    IntoBytes,
    Immutable,
    KnownLayout,
)]
pub struct RepeatKey {
    /// Process id in the initial pid namespace.
    pub pid: u32,
    /// One of the `OPERATION_` values; for what is reached for, [`OPERATION_REACH`] and one of the `PART_` values added to it; for what is done
    /// to the sensor, [`OPERATION_TAMPER`] and one of the `TAMPER_` values.
    pub operation: u32,
    /// Start of the process in nanoseconds since boot including suspend.
    pub start_boottime_ns: u64,
    /// How many programs the process had started: another program is another user.
    pub exec_id: u64,
    /// The file; for what is reached for: start of the target as inode, its process id as device, the number of a block device as generation;
    /// for what is done to the sensor: the id as inode, the number as device.
    pub object: ObjectKey,
    /// `OPENED_FOR_` bits of the descriptor; 0 where there is none. For what was reached for, from [`REACHED_BY_AT`] on, how it came.
    pub access: u32,
    /// The errno of a refusal, positive; 0 where it was allowed.
    pub errno: u32,
}

/// What is kept under a [`RepeatKey`].
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct RepeatCount {
    /// How often the use was repeated since it was told.
    pub count: u64,
    /// When it was told first; of a file that was found open, since when it may have been. Nanoseconds since boot.
    pub since_boot_ns: u64,
}
