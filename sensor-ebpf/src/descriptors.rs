//! The current task's open files.

use core::ffi::c_void;

use aya_ebpf::helpers::generated::bpf_loop;

use crate::{
    offsets::offset,
    read::{Probed, Read, Typed, cast, pointer},
    task,
};

/// Longest word list of the bitmap of open descriptors that is looked through: 1,024 descriptors.
const WORDS_MAX: u32 = 16;

/// `struct fdtable *` of the current task, typed.
#[inline(always)]
fn table() -> *const u8 {
    let files = pointer::<Typed>(task::current(), offset!(task_files));
    pointer::<Typed>(files, offset!(files_fdt))
}

/// `struct file *` of an open descriptor; whoever passes one that is not open reads what stands there.
#[inline(always)]
pub fn file(descriptor: u32) -> *const u8 {
    let files = pointer::<Typed>(table(), offset!(fdtable_fd));
    pointer::<Probed>(files.wrapping_add(descriptor as usize * 8), 0)
}

/// As [`file`], typed, where pointers can be given types (6.2). The table is an array of pointers, which has no type that the verifier would
/// follow; each is looked at as the pointer of a `struct kiocb`, whose type is that of an open file.
#[inline(always)]
pub fn typed_file(descriptor: u32) -> *const u8 {
    let member = offset!(kiocb_file);
    let files = pointer::<Typed>(table(), offset!(fdtable_fd));
    let place = files
        .wrapping_add(descriptor as usize * 8)
        .wrapping_sub(member as usize);
    pointer::<Typed>(cast(place, offset!(kiocb_type)), member)
}

/// A number that the process gave, where it is within the table.
#[inline(always)]
pub fn checked(descriptor: u32) -> Option<u32> {
    let max: u32 = Typed::read(table(), offset!(fdtable_max));
    (descriptor < max).then_some(descriptor)
}

/// As [`file`], for a number that the process gave: null where it is beyond the table.
#[inline(always)]
pub fn checked_file(descriptor: u32) -> *const u8 {
    checked(descriptor).map_or(core::ptr::null(), file)
}

/// What is left of the word of the bitmap that [`each`] looks at.
struct Rest {
    bits: u64,
    first: u32,
    taken: u32,
}

/// Hands each open file to `take`, up to descriptor 1,023; how many it took. `bpf_loop` has the verifier look at it once (5.17).
#[inline(always)]
pub fn each<T: Take>() -> u32 {
    let table = table();
    let open = pointer::<Typed>(table, offset!(fdtable_open));
    let max: u32 = Typed::read(table, offset!(fdtable_max));
    let mut taken = 0;
    for word in 0..WORDS_MAX {
        if word * 64 >= max {
            break;
        }
        let mut rest = Rest {
            bits: Probed::read(open, word * 8),
            first: word * 64,
            taken: 0,
        };
        // SAFETY: the callback takes a number and the pointer given here, which outlives the call.
        unsafe {
            bpf_loop(
                rest.bits.count_ones(),
                next::<T> as *const () as *mut c_void,
                (&raw mut rest).cast(),
                0,
            );
        }
        taken += rest.taken;
    }
    taken
}

/// What [`each`] does with a file.
pub trait Take {
    /// Takes it, or passes it over.
    fn take(file: *const u8) -> bool;
}

extern "C" fn next<T: Take>(_index: u64, rest: *mut Rest) -> i64 {
    // SAFETY: [`each`] passes a pointer to what it keeps on its stack.
    let rest = unsafe { &mut *rest };
    let lowest = rest.bits & rest.bits.wrapping_neg();
    if lowest == 0 {
        return 1;
    }
    rest.bits ^= lowest;
    rest.taken += u32::from(T::take(file(rest.first + (lowest - 1).count_ones())));
    0
}
