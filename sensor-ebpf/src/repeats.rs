//! First use and repeats. The first use by one program run is reported at once; those that follow are counted in its place.

use core::intrinsics::{AtomicOrdering, atomic_xadd};

use aya_ebpf::{helpers::generated::bpf_ktime_get_boot_ns, macros::map, maps::HashMap};
use claviger_sensor_common::{Ancestor, Counter, ObjectKey, REPEATS_MAX, RepeatCount, RepeatKey};

use crate::{report::count_of, task};

/// `BPF_F_NO_PREALLOC`: memory is taken as entries are made.
const NO_PREALLOC: u32 = 1;
/// `BPF_NOEXIST`
pub const NOT_THERE_YET: u64 = 1;

/// How often each use was repeated. Entries are made here, and taken away by the agent when their process has ended.
#[map]
static REPEATS: HashMap<RepeatKey, RepeatCount> = HashMap::with_max_entries(REPEATS_MAX, NO_PREALLOC);

/// What a use by the current task is counted under.
#[inline(always)]
pub fn key(operation: u32, object: ObjectKey, access: u32, errno: u32) -> RepeatKey {
    key_of(
        task::current_process(),
        task::current_exec_id(),
        operation,
        object,
        access,
        errno,
    )
}

/// As [`key`], of a use by any process's program.
#[inline(always)]
pub fn key_of(
    process: Ancestor,
    exec_id: u64,
    operation: u32,
    object: ObjectKey,
    access: u32,
    errno: u32,
) -> RepeatKey {
    RepeatKey {
        pid: process.pid,
        operation,
        start_boottime_ns: process.start_boottime_ns,
        exec_id,
        object,
        access,
        errno,
    }
}

/// Calls `submit` for the first use, and counts those that follow one that went out. Where no further use can be counted, each is submitted.
#[inline(always)]
pub fn first_only(probe: u32, key: &RepeatKey, submit: impl FnOnce() -> bool) {
    if !is_counted(probe, key) && submit() {
        told(key);
    }
}

/// Counts a use where it is a repeat; false where it is none.
#[inline(always)]
pub fn is_counted(probe: u32, key: &RepeatKey) -> bool {
    let Some(repeats) = REPEATS.get_ptr_mut(key) else {
        return false;
    };
    // SAFETY: a value of the map begins with eight aligned bytes; it stays while this program runs.
    unsafe { atomic_xadd::<u64, u64, { AtomicOrdering::Relaxed }>(&raw mut (*repeats).count, 1) };
    count_of(probe, Counter::Repeated);
    true
}

/// Whether a use was told, by this time (nanoseconds since boot) at the latest.
#[inline(always)]
pub fn is_told(key: &RepeatKey, until_boot_ns: u64) -> bool {
    // SAFETY: a value of the map, which stays while this program runs.
    REPEATS
        .get_ptr(key)
        .is_some_and(|told| unsafe { (*told).since_boot_ns } <= until_boot_ns)
}

/// Puts down that a use was told, or needs not be.
#[inline(always)]
pub fn told(key: &RepeatKey) {
    // SAFETY: the helper only returns a number.
    told_since(key, unsafe { bpf_ktime_get_boot_ns() });
}

/// The same of one that may have been since that time (nanoseconds since boot).
#[inline(always)]
pub fn told_since(key: &RepeatKey, since_boot_ns: u64) {
    let told = RepeatCount {
        count: 0,
        since_boot_ns,
    };
    let _full = REPEATS.insert(key, told, NOT_THERE_YET);
}
