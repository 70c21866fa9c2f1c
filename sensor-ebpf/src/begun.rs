//! System calls that truly began, of those whose success is told from their end alone. Seccomp and tracers can answer a call themselves, with any result and
//! nothing done; the end of such a one is seen (`syscalls:sys_exit_*`), the beginning (`syscalls:sys_enter_*`) is not. A refusal is told all the same: it was
//! asked for, and denied.

use aya_ebpf::{
    macros::map,
    maps::{Array, HashMap},
};
use claviger_sensor_common::{BEGUN_MAX, CALLS, Calls};

use crate::task;

/// Not 0 where the beginnings of these [`Calls`] are seen. Where the program for them could not be attached, nothing is known of them.
#[map]
static BEGINNINGS_SEEN: Array<u32> = Array::with_max_entries(CALLS, 0);

/// `BPF_F_NO_PREALLOC`: memory is taken as entries are made.
const NO_PREALLOC: u32 = 1;

/// Calls under way, by thread.
#[map]
static BEGUN: HashMap<u32, u32> = HashMap::with_max_entries(BEGUN_MAX, NO_PREALLOC);

/// Whether beginnings of these are seen.
#[inline(always)]
pub fn are_kept(calls: Calls) -> bool {
    BEGINNINGS_SEEN.get(calls as u32).is_some_and(|seen| *seen != 0)
}

/// 1 once one found no room.
#[map]
static CROWDED: Array<u32> = Array::with_max_entries(1, 0);

/// One that may concern us begins. Once there was no room for one, ends alone count, as where beginnings are not seen: who fills the room hides nothing.
#[inline(always)]
pub fn begins(calls: Calls) {
    if BEGUN.insert(task::current_tid(), calls as u32, 0).is_err()
        && let Some(crowded) = CROWDED.get_ptr_mut(0)
    {
        // SAFETY: an element of an array; only ever set to this.
        unsafe { *crowded = 1 };
    }
}

/// Whether the call whose end this is began; to be asked once, and of each that may have.
#[inline(always)]
pub fn began(calls: Calls) -> bool {
    let thread = task::current_tid();
    // SAFETY: four bytes that only this thread writes.
    let kept = unsafe { BEGUN.get(thread) }.copied();
    if kept.is_some() {
        let _there = BEGUN.remove(thread);
    }
    kept == Some(calls as u32) || !are_kept(calls) || CROWDED.get(0).is_some_and(|crowded| *crowded != 0)
}
