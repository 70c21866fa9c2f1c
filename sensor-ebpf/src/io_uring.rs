//! What io_uring opens, beside the tracepoints of the open calls; beside LSM and fentry, which see that by themselves, what is refused to it. `tp_btf`, 5.5; the prototypes
//! changed:
//!
//! - submitted: `io_uring_submit_req(req)` (6.4), before `io_uring_submit_sqe(req, …)` (6.0): path and flags
//! - completed: `io_uring_complete(ctx, req, cqe)` (6.13), before `(ctx, req, user_data, res, …)` (6.0): the result
//!
//! An open into a fixed file returns no descriptor: the file is found in the table of the ring. A completion can be suppressed: then the end of the
//! call that submitted is looked at ([`crate::ring_ends`]); where that has none, for a thread of the kernel submits, the path is told at submission. What has
//! not run then see [`left`]. What is chained behind what fails may end without completion: [`cancelled`].

mod asked_by;
mod cancelled;
pub mod left;
pub mod overflow;
mod submitted;

use aya_ebpf::{
    helpers::{bpf_probe_read_kernel_buf, bpf_probe_read_kernel_str_bytes},
    macros::{btf_tracepoint, map},
    maps::HashMap,
    programs::BtfTracePointContext,
};
use claviger_sensor_common::{
    ABOVE_NOTHING, AttemptRecord, Counter, END_NOT_RUN, END_TO_RUN, END_UNKNOWN, GIVEN_PATH_BYTES,
    IN_FLIGHT_MAX, MISSING, PathBytes, Probe, RECORD_ATTEMPT, RootPlace,
};

use zerocopy::IntoBytes as _;

use crate::{
    actor::Actor,
    attempts::{finish, is_refusal},
    descriptors,
    file_open::returned,
    fixed_files,
    names_asked::NO_PATH,
    numbers::untyped,
    offsets::agent_pid,
    offsets::offset,
    read::{Probed, Read, Typed, pointer},
    report::{count_of, submit},
    ring_ends::{self, ANY_PLACE},
    task,
};

/// include/uapi/linux/io_uring.h
const IORING_OP_OPENAT: u8 = 18;
const IORING_OP_FILES_UPDATE: u8 = 20;
const IORING_OP_OPENAT2: u8 = 28;
/// REQ_F_CQE_SKIP: the same bit as IOSQE_CQE_SKIP_SUCCESS.
pub const COMPLETION_SUPPRESSED: u32 = 1 << 6;

/// What was asked, until its end: the names are gone by then.
#[repr(C)]
#[derive(Clone, Copy)]
struct Asked {
    directory: i32,
    flags: u32,
    length: u32,
    /// `SETTLED`, `BY_WORKER`, [`left::LEFT`].
    state: u32,
    /// When it was submitted, since boot: what is looked at later may have been changed since then.
    submitted_ns: u64,
    ring: u64,
    /// How it is found by what its completion says of it.
    known_by: overflow::KnownBy,
    /// Who has submitted it.
    actor: Actor,
    /// What an absolute path starts at.
    root: RootPlace,
    /// As in the record.
    above: u32,
    reserved: u32,
    /// The dentry at which a relative path starts; 0 where that is not open.
    start: u64,
    base: PathBytes,
    given: [u8; GIVEN_PATH_BYTES],
}

/// What came of it was looked at before its completion.
const SETTLED: u32 = 1;
/// A worker of the ring runs it, and its completion may wait until the process asks for it.
const BY_WORKER: u32 = 2;

/// Opens under way, by the address of their request.
#[map]
static IN_FLIGHT: HashMap<u64, Asked> = HashMap::with_max_entries(IN_FLIGHT_MAX, 1);

/// Kernels from 6.4.
#[btf_tracepoint(function = "io_uring_submit_req")]
pub fn io_uring_submit_req(ctx: BtfTracePointContext) -> i32 {
    submitted::<true>(ctx.arg(0));
    0
}

/// Kernels before.
#[btf_tracepoint(function = "io_uring_submit_sqe")]
pub fn io_uring_submit_sqe(ctx: BtfTracePointContext) -> i32 {
    submitted::<true>(ctx.arg(0));
    0
}

/// A worker of the ring is to run a request.
#[btf_tracepoint(function = "io_uring_queue_async_work")]
pub fn io_uring_queue_async_work(ctx: BtfTracePointContext) -> i32 {
    let request: *const u8 = ctx.arg(0);
    if opens(Typed::read(request, offset!(ring_opcode)))
        && let Some(asked) = IN_FLIGHT.get_ptr_mut(untyped(request))
    {
        // SAFETY: a value of the map, which nothing else touches before the worker runs.
        unsafe { (*asked).state |= BY_WORKER };
    }
    0
}

/// For refusals only.
#[btf_tracepoint(function = "io_uring_submit_req")]
pub fn io_uring_submit_req_denied(ctx: BtfTracePointContext) -> i32 {
    submitted::<false>(ctx.arg(0));
    0
}

/// For refusals only.
#[btf_tracepoint(function = "io_uring_submit_sqe")]
pub fn io_uring_submit_sqe_denied(ctx: BtfTracePointContext) -> i32 {
    submitted::<false>(ctx.arg(0));
    0
}

/// Kernels from 6.13.
#[btf_tracepoint(function = "io_uring_complete")]
pub fn io_uring_complete_entry(ctx: BtfTracePointContext) -> i32 {
    let entry: *const u8 = ctx.arg(2);
    completed::<true>(ctx.arg(1), Typed::read(entry, offset!(ring_result)));
    0
}

/// Kernels before.
#[btf_tracepoint(function = "io_uring_complete")]
pub fn io_uring_complete_result(ctx: BtfTracePointContext) -> i32 {
    completed::<true>(ctx.arg(1), ctx.arg(3));
    0
}

/// For refusals only.
#[btf_tracepoint(function = "io_uring_complete")]
pub fn io_uring_complete_entry_denied(ctx: BtfTracePointContext) -> i32 {
    let entry: *const u8 = ctx.arg(2);
    completed::<false>(ctx.arg(1), Typed::read(entry, offset!(ring_result)));
    0
}

/// For refusals only.
#[btf_tracepoint(function = "io_uring_complete")]
pub fn io_uring_complete_result_denied(ctx: BtfTracePointContext) -> i32 {
    completed::<false>(ctx.arg(1), ctx.arg(3));
    0
}

/// What a new entry begins with: it is too large to be put together anywhere else than in its place.
#[unsafe(no_mangle)]
static NOTHING_ASKED: Asked = Asked {
    directory: 0,
    flags: 0,
    length: 0,
    state: 0,
    submitted_ns: 0,
    ring: 0,
    known_by: overflow::KnownBy::NOTHING,
    actor: Actor::NOBODY,
    root: RootPlace { mount: 0, inode: 0 },
    above: ABOVE_NOTHING,
    reserved: 0,
    start: 0,
    base: NO_PATH.base,
    given: [0; GIVEN_PATH_BYTES],
};

/// Whether a request opens by path.
#[inline(always)]
fn opens(opcode: u8) -> bool {
    opcode == IORING_OP_OPENAT || opcode == IORING_OP_OPENAT2
}

#[inline(always)]
fn submitted<const SUCCESSES: bool>(request: *const u8) {
    let opcode: u8 = Typed::read(request, offset!(ring_opcode));
    if SUCCESSES {
        settle_before(request);
        if opcode == IORING_OP_FILES_UPDATE {
            ring_ends::replaces(
                untyped(pointer::<Typed>(request, offset!(ring_context))),
                ANY_PLACE,
            );
        }
    }
    if !opens(opcode) || task::current_pid() == agent_pid() {
        return;
    }
    if SUCCESSES {
        submitted::open_submitted(untyped(request));
    } else {
        submitted::open_submitted_denied(untyped(request));
    }
}

/// Requests that are submitted together run one after the other, and complete when all have run: what one has opened, a later one can have closed, and put
/// another file in its place. So the one that has just run is looked at as the next is submitted.
#[inline(always)]
fn settle_before(request: *const u8) {
    if offset!(ring_completed) == MISSING || offset!(ring_own_result) == MISSING {
        return;
    }
    let ring = pointer::<Typed>(request, offset!(ring_context));
    // `struct io_wq_work_list`: its first, and its last.
    if pointer::<Typed>(ring, offset!(ring_completed)).is_null() {
        return;
    }
    let last = pointer::<Typed>(ring, offset!(ring_completed) + 8);
    let before = last.wrapping_sub(offset!(ring_completed_node) as usize);
    if opens(Probed::read(before, offset!(ring_opcode))) {
        settle(untyped(before));
    }
}

/// Whether others have run behind a request that completes with them: drained ones that have waited together, which 6.1 runs in any order. Each may have closed what
/// was opened before, and put another file there. Of those that run as they are submitted, [`settle_before`] has looked at it.
#[inline(always)]
fn has_run_before_another(request: *const u8) -> bool {
    offset!(ring_completed_node) != MISSING
        && !task::is_ring_worker()
        && !pointer::<Probed>(request, offset!(ring_completed_node)).is_null()
}

/// Tells what lies where a request has put what it opened, where it has the name that was asked for; 0 where it has not, or is nothing that is told. Global, for the
/// same reason.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn told_by_name(request: u64, result: u32) -> u32 {
    let file = opened_file(request, result);
    if has_name_asked_for(request, file) == 0 {
        return 0;
    }
    opened_by_ring(file)
}

/// Bytes of a name that are compared: one that is longer is none.
const NAME_COMPARED: usize = 64;

/// Whether the name of a file is the last of the path that a request asks for. Global, so that what it takes of the stack is free again behind it.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn has_name_asked_for(request: u64, file: u64) -> u32 {
    let Some(asked) = IN_FLIGHT.get_ptr(request) else {
        return 0;
    };
    let dentry = pointer::<Probed>(file as *const u8, offset!(file_dentry));
    let name = pointer::<Probed>(dentry, offset!(dentry_name));
    let mut own = [0u64; NAME_COMPARED / 8];
    // SAFETY: the helper copies a string of at most this many bytes from any address and reports a fault instead of taking it.
    let Ok(read) = (unsafe { bpf_probe_read_kernel_str_bytes(name, own.as_mut_bytes()) }) else {
        return 0;
    };
    let length = read.len();
    // SAFETY: a value of the map, which stays while this program runs.
    let asked = unsafe { &*asked };
    let all = asked.length as usize;
    if length == 0 || length + 1 >= NAME_COMPARED || all < length || all >= GIVEN_PATH_BYTES {
        return 0;
    }
    let mut other = [0u64; NAME_COMPARED / 8];
    let last = asked.given.as_ptr().wrapping_add(all - length);
    // SAFETY: as above.
    let read = unsafe { bpf_probe_read_kernel_str_bytes(last, other.as_mut_bytes()) };
    let before = if all == length {
        b'/'
    } else {
        Probed::read::<u8>(last.wrapping_sub(1), 0)
    };
    u32::from(read.is_ok() && before == b'/' && own == other)
}

/// As [`settle_before`]. Global, so that the verifier looks at it once.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn settle(request: u64) -> u32 {
    let Some(asked) = IN_FLIGHT.get_ptr_mut(request) else {
        return 0;
    };
    let result: i32 = Probed::read(request as *const u8, offset!(ring_own_result));
    // SAFETY: a value of the map, which nothing else touches while its request is under way.
    let asked = unsafe { &mut *asked };
    // A failure is told by its completion, and what was left is followed.
    if result < 0 || asked.state & (SETTLED | left::LEFT) != 0 {
        return 0;
    }
    asked.state |= SETTLED;
    opened_by_ring(opened_file(request, result as u32))
}

/// The file that a request has opened; 0 where it is not there any more.
#[inline(always)]
fn opened_file(request: u64, result: u32) -> u64 {
    let request = request as *const u8;
    let command = request.wrapping_add(offset!(ring_command) as usize);
    let ring: u64 = Probed::read(request, offset!(ring_context));
    untyped(match Probed::read(command, offset!(ring_open_slot)) {
        0 => descriptors::checked_file(result),
        fixed_files::ANY_FREE => fixed_files::file(ring, result),
        slot => fixed_files::file(ring, slot - 1),
    })
}

/// An open has succeeded. Where a worker has run it, the process can have had the file, and have put another in its place, long before: what is no credential
/// may not be what was opened, so the path is told. So it is of what is one, unless the worker itself says that it has just opened it, and it has the name that was asked for: that
/// may be a second one, or what only lies where some are, put there while the worker was held up. The agent tells the same file once.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn succeeded(request: u64, result: u32) -> u32 {
    let state = state(request);
    if state & SETTLED != 0 {
        return 0;
    }
    let file = opened_file(request, result);
    let told = opened_by_ring(file);
    if state & BY_WORKER != 0
        && (told == 0 || !task::is_ring_worker() || has_name_asked_for(request, file) == 0)
    {
        end_unknown(request);
    }
    0
}

#[inline(always)]
fn state(request: u64) -> u32 {
    // SAFETY: a value of the map, which stays while this program runs.
    IN_FLIGHT
        .get_ptr(request)
        .map_or(0, |asked| unsafe { (*asked).state })
}

#[inline(always)]
fn completed<const SUCCESSES: bool>(request: *const u8, result: i32) {
    let opcode: u8 = Probed::read(request, offset!(ring_opcode));
    if !opens(opcode) {
        return;
    }
    if result >= 0 {
        let asked = untyped(request);
        let is_at_hand = asked_by::is_current(asked) && !has_run_before_another(request);
        if SUCCESSES && !is_at_hand && is_under_way(asked) {
            // What the process has open is not at hand here, or may be what another request has opened.
            let is_told =
                is_settled(asked) || (asked_by::is_current(asked) && told_by_name(asked, result as u32) != 0);
            if !is_told {
                end_unknown(asked);
            }
        } else if SUCCESSES && asked_by::is_current(asked) {
            succeeded(asked, result as u32);
        }
    } else if is_refusal(i64::from(result)) && task::current_pid() != agent_pid() {
        refused(untyped(request), -result as u32);
    }
    over(untyped(request));
}

/// A ring has opened a file; 0 where it is nothing that is told. Global, so that the verifier looks at it once.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn opened_by_ring(file: u64) -> u32 {
    returned::<Probed>(file as *const u8)
}

/// Whether the end of an open is awaited.
#[inline(always)]
pub fn is_under_way(request: u64) -> bool {
    IN_FLIGHT.get_ptr(request).is_some()
}

/// Whether what came of an open was looked at already.
#[inline(always)]
pub fn is_settled(request: u64) -> bool {
    state(request) & SETTLED != 0
}

/// The end of an open is awaited no longer.
#[inline(always)]
pub fn over(request: u64) {
    left::forget_left(request);
    overflow::forget(request);
    // It may not have been kept.
    let _not_kept = IN_FLIGHT.remove(request);
}

/// Nobody sees how an open ended.
#[inline(always)]
pub fn end_unknown(request: u64) {
    told_by_asked(request, END_UNKNOWN, Probe::FileOpen as u32);
}

#[inline(always)]
fn refused(request: u64, errno: u32) {
    told_by_asked(request, errno, Probe::FileOpenDenied as u32);
}

/// Tells what was asked, and how it ended. Global, so that the verifier looks at it once.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn told_by_asked(request: u64, errno: u32, probe: u32) -> u32 {
    let Some(asked) = IN_FLIGHT.get_ptr(request) else {
        count_of(probe, Counter::Seen);
        count_of(probe, Counter::LostInFlight);
        return 0;
    };
    // SAFETY: a value of the map that stays while this program runs.
    let asked = unsafe { &*asked };
    let is_start_known = asked_by::is_start_known(asked);
    if is_start_known {
        told_as_asked(request, errno, probe);
    }
    let is_told_from_elsewhere = asked_by::told_from_elsewhere(request, asked, errno, probe);
    if !is_start_known && !is_told_from_elsewhere {
        count_of(probe, Counter::Seen);
        count_of(probe, Counter::LostDescriptorGone);
    }
    0
}

/// Tells it of who has submitted it, with what its path started at then. Global, for the same reason.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn told_as_asked(request: u64, errno: u32, probe: u32) -> u32 {
    tell(request, errno, probe, asked_by::fill)
}

/// Tells it of the current task, with what its path starts at now. Global, for the same reason.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn told_from_here(request: u64, errno: u32, probe: u32) -> u32 {
    tell(request, errno, probe, |record, asked| {
        finish(record, asked.length as usize, asked.directory)
    })
}

#[inline(always)]
fn tell(request: u64, errno: u32, probe: u32, rest: impl FnOnce(&mut AttemptRecord, &Asked) -> bool) -> u32 {
    let Some(asked) = IN_FLIGHT.get_ptr(request) else {
        return 0;
    };
    submit::<AttemptRecord>(probe, RECORD_ATTEMPT, |record| {
        // SAFETY: `record` is a reservation of this size, `asked` a value of the map that stays until it is removed below.
        let (record, asked) = unsafe { (&mut *record, &*asked) };
        record.errno = errno;
        record.flags = asked.flags;
        if errno == END_UNKNOWN || errno == END_TO_RUN || errno == END_NOT_RUN {
            record.header.time_boot_ns = asked.submitted_ns;
        }
        // SAFETY: the helper copies from any address and reports a fault instead of taking it.
        if unsafe { bpf_probe_read_kernel_buf(asked.given.as_ptr(), &mut record.given) }.is_err() {
            return false;
        }
        rest(record, asked)
    });
    1
}
