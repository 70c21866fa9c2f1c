//! The first 64 open files of the current task, typed on kernels that cannot give a pointer a type (before 6.2).
//!
//! A process begins with a table of 64 descriptors (`NR_OPEN_DEFAULT`, `BITS_PER_LONG`) that lies in its `files_struct`. Of an array the verifier knows the type of
//! each element, but only where it knows which: so there is a load for each.

use core::arch::asm;

use crate::{
    offsets::offset,
    read::{Typed, pointer},
    task,
};

/// Loads the element of an array of pointers by a load of its own. Written as assembly, for the compiler would make one load of them all, from an address that it computes.
macro_rules! element {
    ($array:expr, $number:expr, $($known:literal)*) => {
        match $number {
            $($known => {
                let element: u64;
                // SAFETY: the verifier admits the load only where the pointer's type has an element there, and the kernel handles its faults.
                unsafe {
                    asm!(
                        "{element} = *(u64 *)({array} + {at})",
                        element = lateout(reg) element,
                        array = in(reg) $array,
                        at = const $known * 8,
                        options(pure, readonly, nostack, preserves_flags),
                    );
                }
                element as *const u8
            })*
            _ => core::ptr::null(),
        }
    };
}

/// `struct file *` of an open descriptor; null where it is not among the first, or the table has grown and lies elsewhere since.
#[inline(always)]
pub fn typed_file(descriptor: u32) -> *const u8 {
    let files = pointer::<Typed>(task::current(), offset!(task_files));
    let first = files.wrapping_add(offset!(files_first) as usize);
    let table = pointer::<Typed>(files, offset!(files_fdt));
    if pointer::<Typed>(table, offset!(fdtable_fd)) != first {
        return core::ptr::null();
    }
    element!(first, descriptor, 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21
        22 23 24 25 26 27 28 29 30 31 32 33 34 35 36 37 38 39 40 41 42 43
        44 45 46 47 48 49 50 51 52 53 54 55 56 57 58 59 60 61 62 63)
}
