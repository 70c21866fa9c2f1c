//! Changes whose completion finds no room in the ring, as [`crate::io_uring::overflow`] has opens, and those that never run, for what they are chained to
//! has failed.

use aya_ebpf::{
    macros::{btf_tracepoint, map},
    maps::HashMap,
    programs::BtfTracePointContext,
};
use claviger_sensor_common::{IN_FLIGHT_MAX, MISSING};

use super::{asked::CHANGES_ASKED, completed, is_change, over};
use crate::{
    io_uring::overflow::{KnownBy, SAME},
    numbers::untyped,
    offsets::offset,
    read::{Probed, Read, Typed},
    repeats::NOT_THERE_YET,
};

/// Changes under way whose completion may find no room.
#[map]
static CHANGES_BY_DATA: HashMap<KnownBy, u64> = HashMap::with_max_entries(IN_FLIGHT_MAX, 1);

/// A completion found no room.
#[btf_tracepoint(function = "io_uring_cqe_overflow")]
pub fn io_uring_cqe_overflow_changes(ctx: BtfTracePointContext) -> i32 {
    overflowed::<true>(ctx.arg(0), ctx.arg(1), ctx.arg(2));
    0
}

/// For refusals only.
#[btf_tracepoint(function = "io_uring_cqe_overflow")]
pub fn io_uring_cqe_overflow_changes_denied(ctx: BtfTracePointContext) -> i32 {
    overflowed::<false>(ctx.arg(0), ctx.arg(1), ctx.arg(2));
    0
}

/// A request never runs: what was kept until its end is let go. Where the one that failed was to succeed silently, it does not complete.
#[btf_tracepoint(function = "io_uring_fail_link")]
pub fn io_uring_fail_link_changes(ctx: BtfTracePointContext) -> i32 {
    let request: *const u8 = ctx.arg(1);
    if is_change(Typed::read(request, offset!(ring_opcode))) {
        over(untyped(request));
    }
    0
}

/// A change that is kept will be found by what its completion says; 0 where there is no room for it. Global, so that what it takes of the stack is free again
/// behind it.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn change_kept(request: u64, ring: u64) -> u32 {
    if offset!(ring_user_data) == MISSING || offset!(ring_own_result) == MISSING {
        // Such a kernel (before 5.19) does not tell of what finds no room.
        return 1;
    }
    let Some(asked) = CHANGES_ASKED.get_ptr_mut(request) else {
        return 0;
    };
    let user_data = Probed::read(request as *const u8, offset!(ring_user_data));
    for place in 0..SAME {
        let key = KnownBy::new(ring, user_data, place);
        if CHANGES_BY_DATA.insert(key, request, NOT_THERE_YET).is_ok() {
            // SAFETY: a value of the map, which nothing else touches while its request is under way.
            unsafe { (*asked).known_by = key };
            return 1;
        }
    }
    0
}

/// It is not under way any more. Global, for the same reason.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn forget_change(request: u64) -> u32 {
    if let Some(asked) = CHANGES_ASKED.get_ptr(request) {
        // SAFETY: as above.
        let known_by = unsafe { (*asked).known_by };
        let _not_kept = CHANGES_BY_DATA.remove(known_by);
    }
    0
}

/// The request is one of those that say this of themselves. Of each that has run it is known how it ended, whichever it was.
#[inline(always)]
fn overflowed<const SUCCESSES: bool>(ring: u64, user_data: u64, result: i32) {
    for place in 0..SAME {
        let request = change_done(ring, user_data, place, result) as *const u8;
        if !request.is_null() {
            completed::<SUCCESSES>(request, Probed::read(request, offset!(ring_own_result)));
        }
    }
}

/// Whether a change has run. The kernel notes in the request (`REQ_F_NEED_CLEANUP`) that it has names, until it is done; of a change of length, which has none, it is
/// taken to have.
#[inline(always)]
fn has_run(request: *const u8) -> bool {
    let has_name = offset!(ring_has_name);
    has_name == MISSING || Probed::read::<u32>(request, offset!(ring_flags)) & has_name == 0
}

/// The change that is known so, where it is one that has ended; 0 otherwise. Global, for the same reason.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn change_done(ring: u64, user_data: u64, place: u32, result: i32) -> u64 {
    let Some(request) = CHANGES_BY_DATA.get_ptr(KnownBy::new(ring, user_data, place)) else {
        return 0;
    };
    // SAFETY: a value of the map, which stays while this program runs.
    let request = unsafe { *request };
    let own_result: i32 = Probed::read(request as *const u8, offset!(ring_own_result));
    let is_done = has_run(request as *const u8) || own_result == result && result < 0;
    if is_done { request } else { 0 }
}
