//! Paths as system calls give them: where they start, whether they can concern us, and into a record.

use aya_ebpf::helpers::{bpf_probe_read_kernel_str_bytes, bpf_probe_read_user_str_bytes};
use claviger_sensor_common::{ABOVE_NOTHING, GivenPath};
use zerocopy::IntoBytes as _;

use crate::{
    agent_root,
    attempts::AT_FDCWD,
    descriptors, labels,
    numbers::untyped,
    offsets::offset,
    overlay,
    path::{self, AT_ROOT, Place},
    read::{Probed, pointer},
};

/// Bytes of a name that are looked at for a slash.
const LOOKED_AT: usize = 64;

/// A path as it was given, and where it starts.
#[derive(Clone, Copy)]
pub struct Given {
    pub directory: i32,
    pub text: u64,
}

impl Given {
    pub const NONE: Self = Self {
        directory: AT_FDCWD,
        text: 0,
    };

    #[inline(always)]
    pub const fn here(text: u64) -> Self {
        Self {
            directory: AT_FDCWD,
            text,
        }
    }

    #[inline(always)]
    pub const fn at(directory: u64, text: u64) -> Self {
        Self {
            directory: directory as i32,
            text,
        }
    }
}

/// Whether a path may lead to what concerns us. One that is a mere name in a directory that is none of ours does not.
#[inline(always)]
pub fn concerns<const USER: bool>(given: Given) -> bool {
    if !labels::is_watching() {
        return false;
    }
    let concerns = if USER {
        user_path_concerns(given.directory, given.text)
    } else {
        kernel_path_concerns(given.directory, untyped(given.text as *const u8))
    };
    concerns != 0 || shows_way(given.directory) != 0
}

/// As [`concerns`]. Global, so that what it takes of the stack is free again when the path is told.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn user_path_concerns(directory: i32, text: u64) -> u32 {
    (has_slash::<true>(text) || labels::is_way(base(directory))) as u32
}

/// The same, of a path that the kernel has copied.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn kernel_path_concerns(directory: i32, text: u64) -> u32 {
    (has_slash::<false>(text) || labels::is_way(base(directory))) as u32
}

/// Whether an overlay shows a directory that is one of ours. Apart from the above, with which it would take more of the stack than there is (6.1).
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn shows_way(directory: i32) -> u32 {
    overlay::is_way(base(directory)) as u32
}

/// The inode of the directory at which a relative path starts.
#[inline(always)]
fn base(directory: i32) -> *const u8 {
    if directory == AT_FDCWD {
        pointer::<Probed>(path::working_directory().dentry, offset!(dentry_inode))
    } else {
        pointer::<Probed>(descriptors::checked_file(directory as u32), offset!(file_inode))
    }
}

/// Where a relative path of the current task starts; without a dentry where the descriptor is not open.
#[inline(always)]
pub fn start(directory: i32) -> Place {
    if directory == AT_FDCWD {
        path::working_directory()
    } else {
        path::of_file(descriptors::checked_file(directory as u32))
    }
}

/// Whether a text has a slash, or may have one: it is too long to tell, or cannot be read, as one in a page that is not in memory yet. An empty one
/// counts as one that has.
#[inline(always)]
pub fn has_slash<const USER: bool>(text: u64) -> bool {
    let mut name = [0u64; LOOKED_AT / 8];
    let Some(length) = read::<USER>(text, name.as_mut_bytes()) else {
        return true;
    };
    if length == 0 || length + 1 >= LOOKED_AT {
        return true;
    }
    let mut found = 0;
    for word in name {
        // A byte of this is zero where there is a slash, and only then its high bit stays.
        let slash = word ^ 0x2f2f_2f2f_2f2f_2f2f;
        found |= slash.wrapping_sub(0x0101_0101_0101_0101) & !slash & 0x8080_8080_8080_8080;
    }
    found != 0
}

/// Whether there is no path, or an empty one: some calls take either for the descriptor beside it.
#[inline(always)]
pub fn is_empty(text: u64) -> bool {
    let mut first = [0u8; 2];
    text == 0 || read::<true>(text, &mut first) == Some(0)
}

/// Copies a text, of the user's or of the kernel's; returns its length.
#[inline(always)]
fn read<const USER: bool>(text: u64, to: &mut [u8]) -> Option<usize> {
    // SAFETY: the helpers copy from any address and report a fault instead of taking it.
    let read = unsafe {
        if USER {
            bpf_probe_read_user_str_bytes(text as *const u8, to)
        } else {
            bpf_probe_read_kernel_str_bytes(text as *const u8, to)
        }
    };
    read.ok().map(<[u8]>::len)
}

/// A text alone.
#[inline(always)]
pub fn only<const USER: bool>(path: &mut GivenPath, text: u64) -> bool {
    path.base.length = 0;
    path.base.truncated = 0;
    path.above = ABOVE_NOTHING;
    path.root_length = 0;
    let Some(length) = read::<USER>(text, &mut path.given) else {
        return false;
    };
    path.given_length = length as u32;
    path.given_truncated = u32::from(length + 1 >= path.given.len());
    true
}

/// What a symbolic link says, and where the root lies from which that is followed, if it is not the agent's.
#[inline(always)]
pub fn target<const USER: bool>(path: &mut GivenPath, text: u64) -> bool {
    let is_read = only::<USER>(path, text);
    agent_root::locate(path, Place::NOWHERE, AT_ROOT);
    is_read
}

/// A path and, where it is relative, what it starts at; and where the root of the current task lies, if that is not the agent's.
#[inline(always)]
pub fn fill<const USER: bool>(path: &mut GivenPath, given: Given) -> bool {
    if !only::<USER>(path, given.text) {
        return false;
    }
    let (start, end) = if path.given[0] == b'/' {
        (Place::NOWHERE, AT_ROOT)
    } else {
        let start = start(given.directory);
        (start, path::walk(&start, &mut path.base))
    };
    agent_root::locate(path, start, end);
    true
}
