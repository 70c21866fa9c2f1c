//! Opens whose completion finds no room in the ring: no `io_uring_complete` tells of them, but `tp_btf/io_uring_cqe_overflow(ring, user_data, res, …)` (5.19),
//! which names the request by what its completion says. Anybody may give several requests the same.

use aya_ebpf::{
    macros::{btf_tracepoint, map},
    maps::HashMap,
    programs::BtfTracePointContext,
};
use claviger_sensor_common::{IN_FLIGHT_MAX, MISSING};

use super::{IN_FLIGHT, completed};
use crate::{
    offsets::offset,
    read::{Probed, Read},
    repeats::NOT_THERE_YET,
};

/// Requests of one ring under way that say the same of themselves. Of a further one the path is told at once.
pub const SAME: u32 = 8;

/// What a completion says of a request, and which it is of those that say the same.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct KnownBy {
    ring: u64,
    user_data: u64,
    place: u64,
}

impl KnownBy {
    pub const NOTHING: Self = Self {
        ring: 0,
        user_data: 0,
        place: 0,
    };

    #[inline(always)]
    pub fn new(ring: u64, user_data: u64, place: u32) -> Self {
        Self {
            ring,
            user_data,
            place: u64::from(place),
        }
    }
}

/// Opens under way whose completion may find no room.
#[map]
static BY_USER_DATA: HashMap<KnownBy, u64> = HashMap::with_max_entries(IN_FLIGHT_MAX, 1);

/// An open that is kept will be found by what its completion says; 0 where there is no room for it. Global, so that what it takes of the stack is free again behind
/// it.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn kept(request: u64, ring: u64) -> u32 {
    if offset!(ring_user_data) == MISSING || offset!(ring_own_result) == MISSING {
        return 0;
    }
    let Some(asked) = IN_FLIGHT.get_ptr_mut(request) else {
        return 0;
    };
    let user_data = Probed::read(request as *const u8, offset!(ring_user_data));
    for place in 0..SAME {
        let key = KnownBy::new(ring, user_data, place);
        if BY_USER_DATA.insert(key, request, NOT_THERE_YET).is_ok() {
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
pub extern "C" fn forget(request: u64) -> u32 {
    if let Some(asked) = IN_FLIGHT.get_ptr(request) {
        // SAFETY: as above.
        let known_by = unsafe { (*asked).known_by };
        let _not_kept = BY_USER_DATA.remove(known_by);
    }
    0
}

/// A completion found no room.
#[btf_tracepoint(function = "io_uring_cqe_overflow")]
pub fn io_uring_cqe_overflow(ctx: BtfTracePointContext) -> i32 {
    let result: i32 = ctx.arg(2);
    let request = open_without_room(ctx.arg(0), ctx.arg(1), result as u32) as *const u8;
    if !request.is_null() {
        completed::<true>(request, result);
    }
    0
}

/// The request whose completion found no room: one that has this result; 0 where there is none. Global, for the same reason.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn open_without_room(ring: u64, user_data: u64, result: u32) -> u64 {
    for place in 0..SAME {
        let key = KnownBy::new(ring, user_data, place);
        let Some(request) = BY_USER_DATA.get_ptr(key) else {
            continue;
        };
        // SAFETY: a value of the map, which stays while this program runs.
        let request = unsafe { *request };
        if Probed::read::<u32>(request as *const u8, offset!(ring_own_result)) == result {
            return request;
        }
    }
    0
}
