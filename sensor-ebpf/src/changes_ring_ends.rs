//! What came of changes by io_uring to what is open, where their completion is suppressed and changes are seen by system calls. The file may come to its place
//! only when a request before has run, by being opened there; so the place is looked at once more when the call ends that submits. What has gone by
//! then is counted as lost.

use aya_ebpf::{macros::map, maps::HashMap};
use claviger_sensor_common::{Counter, IN_FLIGHT_MAX, Probe};

use crate::{
    changes_ring::{end_unknown, is_under_way, over},
    descriptors, fixed_files,
    numbers::untyped,
    report::lose,
    ring_ends::{self, Place},
};

/// Where the file of a change lies.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Where {
    /// The ring, of a fixed file; else 0.
    pub ring: u64,
    pub descriptor: u32,
}

impl Where {
    pub const NOWHERE: Self = Self {
        ring: 0,
        descriptor: u32::MAX,
    };

    /// What lies there now; 0 for nothing.
    #[inline(always)]
    pub fn file(self) -> u64 {
        untyped(if self.ring != 0 {
            fixed_files::file(self.ring, self.descriptor)
        } else {
            descriptors::checked_file(self.descriptor)
        })
    }
}

/// What is looked at then.
#[repr(C)]
#[derive(Clone, Copy)]
struct Awaited {
    request: u64,
    ring: u64,
    /// What lay at its place when it was submitted.
    before: u64,
    descriptor: u32,
    /// Which change, and `TOLD`.
    what: u32,
}

/// It was told of what lay at its place before.
const TOLD: u32 = 1 << 31;

/// Changes whose file is looked for when the call ends.
#[map]
static CHANGES_AWAITED: HashMap<Place, Awaited> = HashMap::with_max_entries(IN_FLIGHT_MAX, 1);

/// A change was submitted of what lies at a place. It is told of what lies there now, and when the call has ended of what lies there then.
#[inline(always)]
pub fn submitted(request: u64, ring: u64, what: u32, place: Where) {
    let before = place.file();
    let mut how = what;
    if before != 0 && end_unknown(request, what, before) != 0 {
        how |= TOLD;
    }
    let is_awaited =
        ring_ends::is_end_seen(ring) && await_change(request, place.ring, before, place.descriptor, how) != 0;
    if !is_awaited {
        over(request);
        if before == 0 {
            lose(Probe::CredentialChange, Counter::LostDescriptorGone);
        }
    }
}

/// Global, so that what it takes of the stack is free again behind it.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn await_change(request: u64, ring: u64, before: u64, descriptor: u32, what: u32) -> u32 {
    let awaited = Awaited {
        request,
        ring,
        before,
        descriptor,
        what,
    };
    ring_ends::put(&CHANGES_AWAITED, awaited)
}

/// Looks at the place of one; 0 where there is none. Global, so that the verifier looks at it once.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn change_ended(place: u32) -> u32 {
    let place = Place::of_this_thread(place);
    let Some(awaited) = CHANGES_AWAITED.get_ptr(place) else {
        return 0;
    };
    // SAFETY: a value of the map, of this thread alone.
    let Awaited {
        request,
        ring,
        before,
        descriptor,
        what,
    } = unsafe { *awaited };
    let _there = CHANGES_AWAITED.remove(place);
    if !is_under_way(request) {
        // It failed, which was told by its completion.
        return 1;
    }
    let now = Where { ring, descriptor }.file();
    if now != 0 && now != before {
        end_unknown(request, what & !TOLD, now);
    } else if now == 0 && what & TOLD == 0 {
        lose(Probe::CredentialChange, Counter::LostDescriptorGone);
    }
    over(request);
    1
}
