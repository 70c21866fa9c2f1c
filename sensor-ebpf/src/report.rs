//! Accounts and records. `seen = submitted + Σ lost(reason)` holds for each probe because every observation goes through
//! [`submit`], which counts it once on each side.

use core::intrinsics::{AtomicOrdering, atomic_xadd};

use aya_ebpf::{
    helpers::{bpf_get_smp_processor_id, generated::bpf_ktime_get_boot_ns},
    macros::map,
    maps::{Array, PerCpuArray, RingBuf},
};
use claviger_sensor_common::{
    COUNTERS_PER_PROBE, Counter, PACKETS_WAKE_EVERY_NS, PROBES, Probe, RING_BYTES, RecordHeader,
    WAKE_EVERY_NS,
};

use crate::offsets::ring_bytes;

/// One ring for all records, so that their order is that of the events.
#[map]
static EVENTS: RingBuf = RingBuf::with_byte_size(RING_BYTES, 0);

/// The accounts.
#[map]
static COUNTERS: PerCpuArray<u64> =
    PerCpuArray::with_max_entries(COUNTERS_PER_PROBE * PROBES.len() as u32, 0);

/// In nanoseconds since boot, of records that can wait: when the reader was last woken for one, and until when one may wait.
#[map]
static WAITING: Array<u64> = Array::with_max_entries(3, 0);
const WOKEN: u32 = 0;
const WAIT_UNTIL: u32 = 1;
/// When it was last woken for a packet.
const WOKEN_FOR_PACKET: u32 = 2;

/// Adds one. Atomic: a program can be preempted by another on its CPU between load and store. (`AtomicU64` has no `fetch_add` for this
/// target, although the instruction is as old as BPF.)
#[inline(always)]
pub fn count(probe: Probe, counter: Counter) {
    count_of(probe as u32, counter);
}

/// As [`count`], for a probe by its number.
#[inline(always)]
pub fn count_of(probe: u32, counter: Counter) {
    if let Some(slot) = COUNTERS.get_ptr_mut(probe * COUNTERS_PER_PROBE + counter as u32) {
        // SAFETY: a slot of a per-CPU array is eight aligned bytes that live as long as the map.
        unsafe { atomic_xadd::<u64, u64, { AtomicOrdering::Relaxed }>(slot, 1) };
    }
}

/// Counts an observation that is lost before it could become a record.
#[inline(always)]
pub fn lose(probe: Probe, reason: Counter) {
    count(probe, Counter::Seen);
    count(probe, reason);
}

/// `BPF_RB_AVAIL_DATA`
const IN_USE: u64 = 0;

/// As [`submit`], for what comes in any number, of which most is none of ours: only while half of the ring is free, so that it displaces nothing else.
#[inline(always)]
pub fn submit_if_room<T: 'static>(probe: u32, kind: u32, fill: impl FnOnce(*mut T) -> bool) -> bool {
    if EVENTS.query(IN_USE) > u64::from(ring_bytes() / 2) {
        count_of(probe, Counter::Seen);
        count_of(probe, Counter::LostRingFull);
        return false;
    }
    submit(probe, kind, fill)
}

/// As [`submit_if_room`], of packets: the reader is woken for them once in [`PACKETS_WAKE_EVERY_NS`] or, once an eighth of the ring is taken, in [`WAKE_EVERY_NS`].
#[inline(always)]
pub fn submit_packet<T: 'static>(probe: u32, kind: u32, fill: impl FnOnce(*mut T) -> bool) -> bool {
    let in_use = EVENTS.query(IN_USE);
    if in_use > u64::from(ring_bytes() / 2) {
        count_of(probe, Counter::Seen);
        count_of(probe, Counter::LostRingFull);
        return false;
    }
    let every_ns = if in_use > u64::from(ring_bytes() / 8) {
        WAKE_EVERY_NS
    } else {
        PACKETS_WAKE_EVERY_NS
    };
    let wake = |now_ns| wake_now_and_then(WOKEN_FOR_PACKET, every_ns, now_ns);
    submit_waking(probe, kind, wake, fill)
}

/// The kernel decides: the reader is woken where it has read all that came before.
const WAKE_WHERE_IDLE: u64 = 0;
/// `BPF_RB_NO_WAKEUP`
const DO_NOT_WAKE: u64 = 1;
/// `BPF_RB_FORCE_WAKEUP`
const WAKE: u64 = 2;

/// Reserves a record, lets `fill` write it, and submits it. `fill` returns false where what it must read cannot be read; the record
/// is then counted as lost. It must write all of `T` but the unused ends of its byte arrays, which no reader looks at. Returns whether the
/// record went out.
#[inline(always)]
pub fn submit<T: 'static>(probe: u32, kind: u32, fill: impl FnOnce(*mut T) -> bool) -> bool {
    submit_waking(probe, kind, wake_at_once, fill)
}

/// As [`submit`], for what nobody needs within the next milliseconds: to wake the reader costs whoever is watched more than the record (an interrupt to the
/// own CPU, which leaves a virtual machine). It is woken once in [`WAKE_EVERY_NS`], and looks itself at what comes within that time.
#[inline(always)]
pub fn submit_soon<T: 'static>(probe: u32, kind: u32, fill: impl FnOnce(*mut T) -> bool) -> bool {
    let wake = |now_ns| wake_now_and_then(WOKEN, WAKE_EVERY_NS, now_ns);
    submit_waking(probe, kind, wake, fill)
}

/// What is reserved before this is asked is seen by the reader, and has it look again: none is left where it is when the reader sleeps.
#[inline(always)]
fn wake_now_and_then(woken: u32, every_ns: u64, now_ns: u64) -> u64 {
    // Later than now where another CPU has woken it since.
    if last(woken).wrapping_add(every_ns) > now_ns {
        // What waits was read by then, as a rule.
        let until = now_ns.wrapping_add(8 * every_ns);
        if last(WAIT_UNTIL) < until {
            set_last(WAIT_UNTIL, until);
        }
        return DO_NOT_WAKE;
    }
    set_last(woken, now_ns);
    WAKE
}

/// The reader has not read all that came before where some of it was left to wait, and may sleep: the kernel would not wake it.
#[inline(always)]
fn wake_at_once(now_ns: u64) -> u64 {
    if last(WAIT_UNTIL) > now_ns {
        WAKE
    } else {
        WAKE_WHERE_IDLE
    }
}

#[inline(always)]
fn last(which: u32) -> u64 {
    // SAFETY: a value of an array is eight aligned bytes that live as long as the map, and are read and written as one.
    WAITING
        .get_ptr(which)
        .map_or(0, |time| unsafe { time.read_volatile() })
}

/// Of two at a time, either may be the last.
#[inline(always)]
fn set_last(which: u32, now_ns: u64) {
    if let Some(time) = WAITING.get_ptr_mut(which) {
        // SAFETY: as above.
        unsafe { time.write_volatile(now_ns) };
    }
}

#[inline(always)]
fn submit_waking<T: 'static>(
    probe: u32,
    kind: u32,
    wake: impl FnOnce(u64) -> u64,
    fill: impl FnOnce(*mut T) -> bool,
) -> bool {
    count_of(probe, Counter::Seen);
    let Some(mut entry) = EVENTS.reserve::<T>(0) else {
        count_of(probe, Counter::LostRingFull);
        return false;
    };
    let record: *mut T = entry.as_mut_ptr();
    let header = RecordHeader {
        kind,
        // SAFETY: these helpers only return a number.
        cpu: unsafe { bpf_get_smp_processor_id() },
        // SAFETY: as above.
        time_boot_ns: unsafe { bpf_ktime_get_boot_ns() },
    };
    // SAFETY: every record begins with a header (tested with the layouts), and the reservation is as large as T.
    unsafe { record.cast::<RecordHeader>().write(header) };
    let filled = fill(record);
    // SAFETY: as above; read again, for there is little room on the stack below `fill`.
    let now_ns = unsafe { (&raw const (*record.cast::<RecordHeader>()).time_boot_ns).read_volatile() };
    if filled {
        entry.submit(wake(now_ns));
        count_of(probe, Counter::Submitted);
    } else {
        entry.discard(wake(now_ns));
        count_of(probe, Counter::LostUnreadable);
    }
    filled
}
