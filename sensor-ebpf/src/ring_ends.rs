//! What came of opens by io_uring whose completion is suppressed, where opens are seen by tracepoints: nothing tells of their success. The ring runs
//! what was submitted before the call that submits returns, but what has to wait ([`crate::io_uring::left`]); so the exit of that call, `syscalls:sys_exit_io_uring_enter`, looks
//! whether the file has come. The path is told too, with the end unknown, for in the place of the file another may lie that is known as well.

use aya_ebpf::{
    macros::{map, tracepoint},
    maps::{Array, HashMap},
    programs::TracePointContext,
};
use claviger_sensor_common::{IN_FLIGHT_MAX, OPERATION_OPEN, Probe, REQUEST_RING_ENTERED};

use crate::{
    changes_ring_ends, copies, descriptors,
    file_use::{ACCESS_AT, Found, access, is_for_use, look_up_to, may_be_known, report_use, writes},
    fixed_files, io_uring, labels, named_objects,
    numbers::{bits, numbers, untyped},
    offsets::{agent_pid, offset},
    open_descriptors::is_told_of,
    read::{Probed, Read, Typed, pointer},
    repeats, task,
};

/// include/uapi/linux/io_uring.h: a thread of the kernel submits, and no call ends.
const IORING_SETUP_SQPOLL: u32 = 1 << 1;
/// Opens without completion, and changes, of one call, whose end is looked for; of a further one is told at once.
pub const PLACES: u32 = 8;
/// As a place of a ring: whichever.
pub const ANY_PLACE: u32 = u32::MAX;
/// Stands for what lay in a slot before: something else is put there before anybody can look.
const REPLACED: u64 = u64::MAX;

/// What this thread's call will tell of: one of [`PLACES`].
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Place {
    thread: u32,
    place: u32,
}

impl Place {
    #[inline(always)]
    pub fn of_this_thread(place: u32) -> Self {
        Self {
            thread: task::current_tid(),
            place,
        }
    }
}

/// Puts something in the first free place of this thread; 0 where there is none.
#[inline(always)]
pub fn put<T>(awaited: &HashMap<Place, T>, what: T) -> u32 {
    let thread = task::current_tid();
    for place in 0..PLACES {
        let place = Place { thread, place };
        if awaited.insert(place, &what, repeats::NOT_THERE_YET).is_ok() {
            return 1;
        }
    }
    0
}

/// What [`ended`] has found.
const NONE_AWAITED: u32 = 0;
const ENDED: u32 = 1;
/// What has come is among the descriptors, and still to be told: that takes too much of the stack to be done below.
const HAS_A_DESCRIPTOR: u32 = 2;

/// What is looked at then.
#[repr(C)]
#[derive(Clone, Copy)]
struct Awaited {
    request: u64,
    ring: u64,
    /// What lay in the slot before.
    before: u64,
    slot: u32,
    reserved: u32,
}

/// Opens whose end is looked for when the call ends.
#[map]
static ENDS_AWAITED: HashMap<Place, Awaited> = HashMap::with_max_entries(IN_FLIGHT_MAX, 1);

/// 1 once the exit of a call was seen.
#[map]
static ENDS_SEEN: Array<u32> = Array::with_max_entries(1, 0);

/// The end of whatever was submitted.
#[tracepoint]
pub fn sys_exit_io_uring_enter(_ctx: TracePointContext) -> u32 {
    if task::current_pid() == agent_pid() {
        if let Some(seen) = ENDS_SEEN.get_ptr_mut(0) {
            // SAFETY: an element of an array; only ever set to this.
            unsafe { *seen = 1 };
        }
        labels::answer_seen(REQUEST_RING_ENTERED);
        return 0;
    }
    for place in 0..PLACES {
        match ended(place) {
            NONE_AWAITED => break,
            HAS_A_DESCRIPTOR => {
                came_as_descriptor();
                descriptor_ended(place);
            }
            _ => {}
        }
    }
    for place in 0..PLACES {
        if changes_ring_ends::change_ended(place) == 0 {
            break;
        }
    }
    0
}

/// Remembers to look for the end of an open that is submitted now; false where nobody would.
#[inline(always)]
pub fn awaited(request: u64, ring: u64, slot: u32) -> bool {
    is_end_seen(ring) && await_end(request, ring, slot) != 0
}

/// Whether the end of the call that submits now to this ring will be seen.
#[inline(always)]
pub fn is_end_seen(ring: u64) -> bool {
    let setup: u32 = Probed::read(ring as *const u8, offset!(ring_setup));
    // The exit of a 32-bit call is not seen.
    !task::is_in_compat_call()
        && setup & IORING_SETUP_SQPOLL == 0
        && ENDS_SEEN.get(0).is_some_and(|seen| *seen != 0)
}

/// A request that is submitted now puts a file into this slot, or, with [`ANY_PLACE`], into any: what is awaited there is then not what lies there when the call
/// ends. Global, so that the verifier looks at it once.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn replaces(ring: u64, slot: u32) -> u32 {
    let thread = task::current_tid();
    for place in 0..PLACES {
        let Some(awaited) = ENDS_AWAITED.get_ptr_mut(Place { thread, place }) else {
            break;
        };
        // SAFETY: a value of the map, of this thread alone.
        let awaited = unsafe { &mut *awaited };
        if awaited.ring == ring && (awaited.slot == slot || slot == ANY_PLACE) {
            awaited.before = REPLACED;
        }
    }
    0
}

/// As [`awaited`]. Global, so that what it takes of the stack is free again behind it.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn await_end(request: u64, ring: u64, slot: u32) -> u32 {
    let awaited = Awaited {
        request,
        ring,
        before: fixed_files::file(ring, slot.wrapping_sub(1)) as u64,
        slot,
        reserved: 0,
    };
    put(&ENDS_AWAITED, awaited)
}

/// Looks for the end of one. Global, so that the verifier looks at it once.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn ended(place: u32) -> u32 {
    let place = Place::of_this_thread(place);
    let Some(awaited) = ENDS_AWAITED.get_ptr(place) else {
        return NONE_AWAITED;
    };
    // SAFETY: a value of the map, of this thread alone.
    let Awaited {
        request,
        ring,
        before,
        slot,
        ..
    } = unsafe { *awaited };
    if !io_uring::is_under_way(request) {
        // It failed, which was told by its completion.
        let _there = ENDS_AWAITED.remove(place);
        return ENDED;
    }
    if io_uring::is_settled(request) {
        let _there = ENDS_AWAITED.remove(place);
        io_uring::over(request);
        return ENDED;
    }
    if io_uring::left::has_run(request, ring) == 0 {
        let _there = ENDS_AWAITED.remove(place);
        io_uring::left::leave(request);
        return ENDED;
    }
    match slot {
        0 => {
            copies::look_for_what_was_opened();
            return HAS_A_DESCRIPTOR;
        }
        fixed_files::ANY_FREE => {
            copies::look_for_what_was_opened_in(ring);
            came_in_ring(ring);
        }
        slot => {
            let file = fixed_files::file(ring, slot - 1) as u64;
            if file != 0 && file != before && before != REPLACED {
                // What is no credential may have been put there since.
                io_uring::opened_by_ring(file);
            }
        }
    }
    told_by_path(place, request);
    ENDED
}

/// Whatever came may lie in the place of what was opened: only the path says what that was. Where they are the same, the agent tells it once.
#[inline(always)]
fn told_by_path(place: Place, request: u64) {
    let _there = ENDS_AWAITED.remove(place);
    io_uring::end_unknown(request);
    io_uring::over(request);
}

/// The path of what has come as a descriptor. Global, as [`ended`].
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn descriptor_ended(place: u32) -> u32 {
    let place = Place::of_this_thread(place);
    if let Some(awaited) = ENDS_AWAITED.get_ptr(place) {
        // SAFETY: as above.
        let request = unsafe { (*awaited).request };
        told_by_path(place, request);
    }
    0
}

/// Tells the file that has come as a descriptor, if one has. Global, as [`ended`].
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn came_as_descriptor() -> u32 {
    descriptors::each::<Untold>(Probe::FileOpen)
}

/// Tells the file that has come at whichever place of a ring, if one has. Global, as [`ended`].
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn came_in_ring(ring: u64) -> u32 {
    fixed_files::each::<Untold>(Probe::FileOpen, ring)
}

/// A labelled file of which no use was told. Where the place is not known at which the file has come, this may be it: of every other one the use was
/// told, but for what another process has put there.
struct Untold;

impl descriptors::Take for Untold {
    #[inline(always)]
    fn take(file: *const u8) -> u32 {
        let found = may_be_known::<Probed>(file);
        if found == 0 {
            0
        } else {
            untold(untyped(file), found)
        }
    }
}

/// Tells the use of a file, once the prefilter has let it through, if none was told. Global, as [`ended`].
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn untold(file: u64, found: u32) -> u32 {
    let at = file as *const u8;
    let mode: u32 = Probed::read(at, offset!(file_mode));
    if !is_for_use(mode) {
        return 0;
    }
    let mut it = Found::NOTHING;
    if look_up_to(file, found | writes(mode), &raw mut it) == 0 {
        return 0;
    }
    let Found {
        object,
        label,
        matched,
    } = it;
    let process = untyped(pointer::<Typed>(task::current(), offset!(task_group_leader)));
    if is_told_of(process, object.inode, numbers(object), access(mode), u64::MAX) != 0 {
        return 0;
    }
    named_objects::take(file, label, matched);
    let how = Probe::FileOpen as u32 | OPERATION_OPEN << 8 | matched << 16 | access(mode) << ACCESS_AT;
    report_use(file, object.inode, numbers(object), bits(label), how);
    1
}
