//! Connections to sockets of this host.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::{PathBytes, RecordHeader, RepeatKey, TaskSnapshot};

/// What `sun_path` of unix(7) has room for, up to a power of two: so the verifier sees that a length is within.
pub const SOCKET_NAME_BYTES: usize = 128;

/// A process has connected to a socket of this host that has a name, or was refused.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct AgentSocketRecord {
    /// Begins every record.
    pub header: RecordHeader,
    /// Who.
    pub task: TaskSnapshot,
    /// What, and how it ended: what the repeats are counted under. Its object is the file of the socket; of a name in the abstract namespace, a hash of it.
    pub key: RepeatKey,
    /// The process that listens, in the initial pid namespace: the one that called `listen`; 0 where it is not known.
    pub peer_pid: u32,
    /// Its effective user id then.
    pub peer_uid: u32,
    /// Bytes used of `name`; 0 where all of it is in `path`.
    pub name_length: u32,
    /// 1 where `name` is one in the abstract namespace, without its zero. Else it is the path that was given, of which `path` is what it starts at.
    pub is_abstract: u32,
    /// What stands behind `name_length` means nothing.
    pub name: [u8; SOCKET_NAME_BYTES],
    /// Where the socket lies, as the root of its mount namespace shows it.
    pub path: PathBytes,
}
