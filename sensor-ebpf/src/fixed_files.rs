//! The fixed files of an io_uring: files that are open in a ring and have no descriptor. Who has the ring has them, and a ring is inherited, received
//! and held as any other file is; another process can also put one in (`IORING_OP_MSG_RING`).

use core::ffi::c_void;

use aya_ebpf::helpers::generated::bpf_loop;
use claviger_sensor_common::{Counter, FIXED_FILES_MAX, MISSING, Probe};

use crate::{
    descriptors::Take,
    offsets::offset,
    read::{Probed, Read, pointer},
    report::lose,
};

/// include/uapi/linux/magic.h
const ANON_INODE_FS_MAGIC: u64 = 0x0904_1934;
/// What the kernel calls a ring. Only it puts names there.
const RING_NAME: [u8; 11] = *b"[io_uring]\0";
/// The lower bits of the pointer to a fixed file say something else.
const FLAGS: u64 = 0b111;

/// `IORING_FILE_INDEX_ALLOC`: as a place, any that is free.
pub const ANY_FREE: u32 = u32::MAX;

/// The ring, `struct io_ring_ctx *`, that an open file is; 0 where it is none.
#[inline(always)]
pub fn ring(file: *const u8) -> u64 {
    let superblock = pointer::<Probed>(pointer::<Probed>(file, offset!(file_inode)), offset!(inode_sb));
    if Probed::read::<u64>(superblock, offset!(sb_magic)) == ANON_INODE_FS_MAGIC {
        named_ring(crate::numbers::untyped(file))
    } else {
        0
    }
}

/// As [`ring`], among the files that have no place. Global, so that what it takes of the stack is free again behind it.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn named_ring(file: u64) -> u64 {
    let file = file as *const u8;
    let name = pointer::<Probed>(
        pointer::<Probed>(file, offset!(file_dentry)),
        offset!(dentry_name),
    );
    let (begin, end) = (Probed::read::<u64>(name, 0), Probed::read::<[u8; 3]>(name, 8));
    let [a, b, c, d, e, f, g, h, i, j, k] = RING_NAME;
    if begin != u64::from_ne_bytes([a, b, c, d, e, f, g, h]) || end != [i, j, k] {
        return 0;
    }
    Probed::read(file, offset!(file_private))
}

/// The file at a place of a ring; null where none is there.
#[inline(always)]
pub fn file(ring: u64, place: u32) -> *const u8 {
    let ring = ring as *const u8;
    if offset!(ring_files) == MISSING || place >= Probed::read(ring, offset!(ring_files_count)) {
        return core::ptr::null();
    }
    let files = pointer::<Probed>(ring, offset!(ring_files));
    let mut file: u64 = Probed::read(files.wrapping_add(place as usize * 8), 0);
    if offset!(ring_node_file) != MISSING {
        file = Probed::read(file as *const u8, offset!(ring_node_file));
    }
    (file & !FLAGS) as *const u8
}

/// How many places of a ring are looked at. What is beyond [`FIXED_FILES_MAX`] is lost to this probe.
#[inline(always)]
pub fn places(probe: Probe, ring: u64) -> u32 {
    if offset!(ring_files) == MISSING {
        return 0;
    }
    let count: u32 = Probed::read(ring as *const u8, offset!(ring_files_count));
    if count <= FIXED_FILES_MAX {
        return count;
    }
    lose(probe, Counter::LostDescriptors);
    FIXED_FILES_MAX
}

/// What is left of the ring that [`each`] looks at.
struct Rest {
    ring: u64,
    /// What `take` has told, of all.
    told: u32,
}

/// Hands each fixed file of a ring to `take`, at the first [`FIXED_FILES_MAX`] places; all that it told of them.
#[inline(always)]
pub fn each<T: Take>(probe: Probe, ring: u64) -> u32 {
    let mut rest = Rest { ring, told: 0 };
    // SAFETY: the callback takes a number and the pointer given here, which outlives the call.
    unsafe {
        bpf_loop(
            places(probe, ring),
            next::<T> as *const () as *mut c_void,
            (&raw mut rest).cast(),
            0,
        );
    }
    rest.told
}

extern "C" fn next<T: Take>(place: u64, rest: *mut Rest) -> i64 {
    // SAFETY: [`each`] passes a pointer to what it keeps on its stack.
    let rest = unsafe { &mut *rest };
    let file = file(rest.ring, place as u32);
    if !file.is_null() {
        rest.told |= T::take(file);
    }
    0
}
