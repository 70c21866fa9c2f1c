//! The look through rings that are registered with a task (`IORING_REGISTER_RING_FDS`, 5.18), by `iter/task` (5.8): such a one stays, with what is open in it, when its
//! descriptors are closed and its memory is the process's own. Beside [`crate::open_descriptors`], in the same thread.

use core::ffi::c_void;

use aya_ebpf::helpers::generated::bpf_loop;
use claviger_sensor_common::{FIXED_FILES_MAX, MISSING, Probe};

use crate::{
    fixed_files, numbers,
    offsets::{agent_pid, offset},
    open_descriptors::{REGISTERED, in_ring},
    read::{Probed, Read, Typed, pointer, unknown},
};

/// `IO_RINGFD_REG_MAX`: rings that a task can have registered.
const REGISTERED_MAX: u32 = 16;

/// `struct bpf_iter__task`
#[repr(C)]
struct EachTask {
    meta: u64,
    task: *const u8,
}

/// Each task, threads among them.
#[unsafe(no_mangle)]
#[unsafe(link_section = "iter/task")]
extern "C" fn registered_rings(context: *const EachTask) -> i32 {
    // SAFETY: the verifier knows the context of the iterator, and admits this load from it.
    let task = unsafe { (&raw const (*context).task).read_volatile() };
    if task.is_null() || offset!(task_ring) == MISSING || offset!(task_registered_rings) == MISSING {
        return 0;
    }
    let of_task = pointer::<Typed>(task, offset!(task_ring));
    if of_task.is_null() || Typed::read::<u32>(task, offset!(task_tgid)) == agent_pid() {
        return 0;
    }
    let mut rest = Registered {
        task: numbers::untyped(task),
        rings: numbers::untyped(of_task) + u64::from(offset!(task_registered_rings)),
        file: u64::from(unknown(0)),
        ring: u64::from(unknown(0)),
        next: unknown(0),
        place: unknown(0),
        places: unknown(0),
    };
    // SAFETY: the callback takes a number and the pointer given here, which outlives the call.
    unsafe {
        bpf_loop(
            REGISTERED_MAX * (FIXED_FILES_MAX + 1),
            next_registered as *const () as *mut c_void,
            (&raw mut rest).cast(),
            0,
        );
    }
    0
}

/// Where [`registered_rings`] stands.
struct Registered {
    task: u64,
    /// The array of them.
    rings: u64,
    /// The ring that is looked at, as a file and as such.
    file: u64,
    ring: u64,
    /// The number of the next ring, of its next place, and of places.
    next: u32,
    place: u32,
    places: u32,
}

/// The next place of a ring, or the next ring. One loop, for one within another would be a frame too deep.
extern "C" fn next_registered(_index: u64, rest: *mut Registered) -> i64 {
    // SAFETY: what [`registered_rings`] keeps on its stack.
    let rest = unsafe { &mut *rest };
    if rest.place < rest.places {
        let file = fixed_files::file(rest.ring, rest.place);
        rest.place += 1;
        if !file.is_null() {
            in_ring(rest.task, file, REGISTERED, rest.file);
        }
        return 0;
    }
    if rest.next >= REGISTERED_MAX {
        return 1;
    }
    let file = pointer::<Probed>((rest.rings + u64::from(rest.next) * 8) as *const u8, 0);
    rest.next += 1;
    if file.is_null() {
        return 0;
    }
    rest.ring = fixed_files::ring(file);
    if rest.ring != 0 {
        rest.file = file as u64;
        rest.place = 0;
        rest.places = fixed_files::places(Probe::OpenDescriptors, rest.ring);
    }
    0
}
