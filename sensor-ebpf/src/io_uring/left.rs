//! Opens without completion that have not run when the call ends that submits them: they wait for what they are chained to, for all before them, for a worker, or
//! for the thread that polls. Where their path leads now says nothing of where it will lead. So the agent is told that they are to run, and asks from time to
//! time whether they have: by a call that nobody else makes often (`io_uring_register`), at whose exit all of them are looked through.
//!
//! That one has run the request says itself: the kernel notes in it (`REQ_F_NEED_CLEANUP`) that it has the name, until the open is done. One that fails completes,
//! and one that is cancelled does or is seen by [`super::cancelled`].

use core::ffi::c_void;

use aya_ebpf::{
    helpers::generated::bpf_for_each_map_elem,
    macros::{map, tracepoint},
    maps::{Array, HashMap},
    programs::TracePointContext,
};
use claviger_sensor_common::{
    END_NOT_RUN, END_TO_RUN, HAS_RUN, IN_FLIGHT_MAX, IS_TO_RUN, MISSING, Probe, REQUEST_RING_ENTERED,
};

use super::{Asked, IN_FLIGHT, opens, overflow, told_by_asked};
use crate::{
    labels,
    offsets::{agent_pid, offset},
    read::{Probed, Read},
    repeats::NOT_THERE_YET,
    task,
};

/// The call that submitted it has ended, or nobody looks at its end.
pub const LEFT: u32 = 4;

/// Opens that are to run and those that have, by when they were submitted: `IS_TO_RUN`, `HAS_RUN`. What is not there any more has failed. The agent
/// takes away what has run.
#[map]
static LEFT_OPENS: HashMap<u64, u32> = HashMap::with_max_entries(IN_FLIGHT_MAX, 1);

/// 1 once they were looked through.
#[map]
static LOOKED_THROUGH: Array<u32> = Array::with_max_entries(1, 0);

/// The agent asks.
#[tracepoint]
pub fn sys_exit_io_uring_register(_ctx: TracePointContext) -> u32 {
    if task::current_pid() != agent_pid() {
        return 0;
    }
    if let Some(looked) = LOOKED_THROUGH.get_ptr_mut(0) {
        // SAFETY: an element of an array; only ever set to this.
        unsafe { *looked = 1 };
    }
    // SAFETY: the callback takes what the helper passes, and nothing of it outlives the call.
    unsafe {
        bpf_for_each_map_elem(
            (&raw const IN_FLIGHT).cast_mut().cast::<c_void>(),
            look_at as *const () as *mut c_void,
            core::ptr::null_mut(),
            0,
        );
    }
    labels::answer_seen(REQUEST_RING_ENTERED);
    0
}

extern "C" fn look_at(
    _map: *mut c_void,
    request: *const u64,
    asked: *const Asked,
    _nothing: *mut c_void,
) -> i64 {
    // SAFETY: the helper passes a key and a value of the map, which stay while it looks at them.
    let (request, asked) = unsafe { (*request, &*asked) };
    if asked.state & LEFT != 0 && has_run(request, asked.ring) != 0 {
        ran(asked.submitted_ns);
        overflow::forget(request);
        // It may have gone by itself.
        let _not_there = IN_FLIGHT.remove(request);
    }
    0
}

/// Whether an open that was submitted to this ring has run, or is not there any more; 0 for no. Global, so that the verifier looks at it once.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn has_run(request: u64, ring: u64) -> u32 {
    let request = request as *const u8;
    let has_name = offset!(ring_has_name);
    // Where the kernel does not say, what was submitted is taken to have run when its call ends.
    let still_to_run = has_name != MISSING
        && opens(Probed::read(request, offset!(ring_opcode)))
        && Probed::read::<u64>(request, offset!(ring_context)) == ring
        && Probed::read::<u32>(request, offset!(ring_flags)) & has_name != 0;
    u32::from(!still_to_run)
}

/// The agent is told that an open is to run; where nobody will see that it has, that it has not run. Global, for the same reason.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn leave(request: u64) -> u32 {
    if offset!(ring_has_name) != MISSING
        && LOOKED_THROUGH.get(0).is_some_and(|looked| *looked != 0)
        && keep(request)
    {
        told_by_asked(request, END_TO_RUN, Probe::FileOpen as u32);
        return 1;
    }
    told_by_asked(request, END_NOT_RUN, Probe::FileOpen as u32);
    super::over(request);
    0
}

#[inline(always)]
fn keep(request: u64) -> bool {
    let Some(asked) = IN_FLIGHT.get_ptr_mut(request) else {
        return false;
    };
    // SAFETY: a value of the map, which nothing else touches while its request is under way.
    let asked = unsafe { &mut *asked };
    let submitted_ns = asked.submitted_ns;
    if LEFT_OPENS.insert(submitted_ns, IS_TO_RUN, NOT_THERE_YET).is_err() {
        return false;
    }
    asked.state |= LEFT;
    true
}

/// An open of which only a refusal matters is kept until it has run.
#[inline(always)]
pub fn keep_until_run(request: u64) {
    if let Some(asked) = IN_FLIGHT.get_ptr_mut(request) {
        // SAFETY: as above.
        unsafe { (*asked).state |= LEFT };
    }
}

/// Another request has the same address now: an open that was left there has run, for one that fails is seen to. Global, for the same reason.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn has_run_before(request: u64) -> u32 {
    if let Some(submitted_ns) = left_at(request) {
        ran(submitted_ns);
    }
    0
}

/// An open has failed. Global, for the same reason.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn forget_left(request: u64) -> u32 {
    if let Some(submitted_ns) = left_at(request) {
        // It may not have been told.
        let _not_there = LEFT_OPENS.remove(submitted_ns);
    }
    0
}

/// When the open at this address was submitted, where it was left.
#[inline(always)]
fn left_at(request: u64) -> Option<u64> {
    let asked = IN_FLIGHT.get_ptr(request)?;
    // SAFETY: a value of the map, which stays while this program runs.
    let (state, submitted_ns) = unsafe { ((*asked).state, (*asked).submitted_ns) };
    (state & LEFT != 0).then_some(submitted_ns)
}

#[inline(always)]
fn ran(submitted_ns: u64) {
    if let Some(state) = LEFT_OPENS.get_ptr_mut(submitted_ns) {
        // SAFETY: a value of the map; only ever set to this.
        unsafe { *state = HAS_RUN };
    }
}
