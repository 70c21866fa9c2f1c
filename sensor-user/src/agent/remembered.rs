//! What is known by its history only, written down for the next start: a file that was proven a copy of a credential, and a credential that has left its place.
//!
//! By what it is found again, and by what it is told apart from any other file, stands there; nothing of a content does, nor anything made of one.
//!
//! ```text
//! "CLVKNOWN" version:u32 crc32c:u32 left_out:u64 count:u32 one…     little-endian; the checksum is of all behind it
//!
//! one   = how:u8 inode:u64 generation:u32 born:time size:u64 modified:time fsid:u64 type:bytes source:bytes
//!         handle_kind:i32 handle:bytes entry:bytes path:bytes at:bytes
//! time  = seconds:i64 nanoseconds:u32
//! bytes = length:u16 and so many
//! ```
//! A version that is not known is not read. At most [`REMEMBERED_MAX`] files stand there, and [`FILE_MAX`] bytes; what found no room is counted.

mod file_systems;
mod format;
mod store;

use std::path::PathBuf;

pub(super) use file_systems::{FileSystems, device_of};
pub use format::RememberedError;
pub use store::RememberedFile;

use crate::kernel::FileHandle;

/// Files that are remembered, at most.
pub const REMEMBERED_MAX: usize = 16_384;

/// Bytes of all of them, at most.
const FILE_MAX: usize = 32 << 20;

/// What is remembered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Remembered {
    /// The files.
    pub files: Vec<RememberedOne>,
    /// How many found no room.
    pub left_out: u64,
}

/// Why a file is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum History {
    /// It was proven a copy.
    Copy,
    /// It lay at a credential's place.
    Left,
}

impl History {
    /// As a person reads it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Copy => "a copy of a credential",
            Self::Left => "a credential that has left its place",
        }
    }
}

/// A file system, apart from any other that has the same device number after a start of the host.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct FileSystem {
    /// `f_fsid` of statfs(2): most make it of their UUID.
    pub id: u64,
    /// Its type, as `ext4`.
    pub kind: Vec<u8>,
    /// What is mounted, as `/dev/vda`: looked at where the id is 0, which tells nothing.
    pub source: Vec<u8>,
}

impl FileSystem {
    /// Whether it is this one.
    #[must_use]
    pub fn is(&self, other: &Self) -> bool {
        self.kind == other.kind && self.id == other.id && (self.id != 0 || self.source == other.source)
    }
}

/// One file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RememberedOne {
    /// Why it is known.
    pub history: History,
    /// The kernel's number of it.
    pub inode: u64,
    /// Tells it from another that had or will have the number.
    pub generation: u32,
    /// When it was made, as [`crate::credential::Seen::born`].
    pub born: (i64, u32),
    /// How large it was when it was looked at last while it was watched, in bytes.
    pub size: u64,
    /// When its content had been changed then: seconds and nanoseconds of the Unix time.
    pub modified: (i64, u32),
    /// Where it lies.
    pub file_system: FileSystem,
    /// By what that finds it; nothing where it finds none so.
    pub handle: Option<FileHandle>,
    /// The id of the catalogue's entry that it is a credential of.
    pub entry: String,
    /// Where it was known as one.
    pub path: PathBuf,
    /// Where it lay when it was looked at last, as far as is known.
    pub at: PathBuf,
}
