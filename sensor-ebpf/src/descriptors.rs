//! The current task's open files.

use core::ffi::c_void;

use aya_ebpf::helpers::generated::bpf_loop;
use claviger_sensor_common::{Counter, DESCRIPTOR_WORDS_MAX, Probe};

use crate::{
    fixed_files,
    numbers::untyped,
    offsets::offset,
    read::{Probed, Read, Typed, cast, pointer, unknown},
    report::lose,
    task,
};

/// `struct fdtable *` of the current task. Typed costs less where every call of the host comes by; but for each typed load of a pointer of the task that it
/// looks at, the verifier (6.2) goes four times through the names of all types of the kernel, which is half of the time that loading takes.
#[inline(always)]
fn table<R: Read>() -> *const u8 {
    let files = pointer::<R>(task::current(), offset!(task_files));
    pointer::<R>(files, offset!(files_fdt))
}

/// `struct file *` of an open descriptor; whoever passes one that is not open reads what stands there.
#[inline(always)]
pub fn file<R: Read>(descriptor: u32) -> *const u8 {
    let files = pointer::<R>(table::<R>(), offset!(fdtable_fd));
    pointer::<Probed>(files.wrapping_add(descriptor as usize * 8), 0)
}

/// As [`file`], typed, where pointers can be given types (6.2). The table is an array of pointers, which has no type that the verifier would
/// follow; each is looked at as the pointer of a `struct kiocb`, whose type is that of an open file.
#[inline(always)]
pub fn typed_file(descriptor: u32) -> *const u8 {
    let member = offset!(kiocb_file);
    let files = pointer::<Typed>(table::<Typed>(), offset!(fdtable_fd));
    let place = files
        .wrapping_add(descriptor as usize * 8)
        .wrapping_sub(member as usize);
    pointer::<Typed>(cast(place, offset!(kiocb_type)), member)
}

/// A number that the process gave, where it is within the table.
#[inline(always)]
pub fn checked<R: Read>(descriptor: u32) -> Option<u32> {
    let max: u32 = R::read(table::<R>(), offset!(fdtable_max));
    (descriptor < max).then_some(descriptor)
}

/// As [`file`], for a number that the process gave: null where it is beyond the table.
#[inline(always)]
pub fn checked_file(descriptor: u32) -> *const u8 {
    checked::<Probed>(descriptor).map_or(core::ptr::null(), file::<Probed>)
}

/// `BPF_MAX_LOOPS`: what one loop can take.
const STEPS_MAX: u32 = 1 << 23;

/// Where [`each`] stands in the bitmap of open descriptors.
struct Rest {
    /// The bitmap.
    open: u64,
    /// What is left of the word that is looked at.
    bits: u64,
    /// The ring that is looked at, the number of its next place, and of places.
    ring: u64,
    place: u32,
    places: u32,
    /// The number of the next word, and of words.
    next: u32,
    words: u32,
    /// What `take` has told, of all.
    told: u32,
}

/// Hands each open file to `take`; all that it told of them. `bpf_loop` has the verifier look at it once (5.17); one for words in one for bits would be a frame
/// too deep for 6.1. A word without an open descriptor costs a read, and the bitmap is long only where a large descriptor is open. What is beyond
/// [`DESCRIPTOR_WORDS_MAX`] is lost to this probe.
#[inline(always)]
pub fn each<T: Take>(probe: Probe) -> u32 {
    let table = table::<Probed>();
    let max: u32 = Probed::read(table, offset!(fdtable_max));
    let mut rest = Rest {
        open: untyped(pointer::<Probed>(table, offset!(fdtable_open))),
        bits: u64::from(unknown(0)),
        ring: u64::from(unknown(0)),
        place: unknown(0),
        places: unknown(0),
        next: unknown(0),
        words: max / 64,
        told: unknown(0),
    };
    if rest.words > DESCRIPTOR_WORDS_MAX {
        lose(probe, Counter::LostDescriptors);
        rest.words = DESCRIPTOR_WORDS_MAX;
    }
    // Each step takes a word, a bit of one, or a place of a ring. How many places there are is known only when they are come to.
    let steps = if T::RINGS.is_some() {
        STEPS_MAX
    } else {
        rest.words * 65
    };
    // SAFETY: the callback takes a number and the pointer given here, which outlives the call.
    unsafe {
        bpf_loop(
            steps,
            next::<T> as *const () as *mut c_void,
            (&raw mut rest).cast(),
            0,
        );
    }
    rest.told
}

/// A word of the bitmap. Global, so that what it takes of the stack is not taken from uses.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn descriptor_word(open: u64, word: u32) -> u64 {
    Probed::read(open as *const u8, word * 8)
}

/// What [`each`] does with a file.
pub trait Take {
    /// The probe to which what cannot be looked at is lost, where what is open in a ring without a descriptor is handed over too.
    const RINGS: Option<Probe> = None;

    /// What there is to tell of it, as bits; 0 where it is passed over.
    fn take(file: *const u8) -> u32;
}

extern "C" fn next<T: Take>(_index: u64, rest: *mut Rest) -> i64 {
    // SAFETY: [`each`] passes a pointer to what it keeps on its stack.
    let rest = unsafe { &mut *rest };
    // In this loop and not in one within it, which would be a frame too deep where a call of a ring is looked at.
    if T::RINGS.is_some() && rest.place < rest.places {
        let file = fixed_files::file(rest.ring, rest.place);
        rest.place += 1;
        if !file.is_null() {
            rest.told |= T::take(file);
        }
        return 0;
    }
    let lowest = rest.bits & rest.bits.wrapping_neg();
    if lowest != 0 {
        rest.bits ^= lowest;
        let file = file::<Probed>((rest.next - 1) * 64 + (lowest - 1).count_ones());
        rest.told |= T::take(file);
        if let Some(probe) = T::RINGS {
            rest.ring = fixed_files::ring(file);
            if rest.ring != 0 {
                rest.place = 0;
                rest.places = fixed_files::places(probe, rest.ring);
            }
        }
        return 0;
    }
    if rest.next >= rest.words {
        return 1;
    }
    rest.bits = descriptor_word(rest.open, rest.next);
    rest.next += 1;
    0
}
