//! Opens as they are submitted: what is asked is kept until its end, or told at once where that cannot be.

use aya_ebpf::helpers::generated::bpf_ktime_get_boot_ns;
use claviger_sensor_common::{AttemptRecord, END_NOT_RUN, END_TO_COME, Probe, RECORD_ATTEMPT};

use super::{Asked, COMPLETION_SUPPRESSED, IN_FLIGHT, NOTHING_ASKED, asked_by, left, over, overflow};
use crate::{
    attempts::{RESOLVE_IN_ROOT, finish, given_text},
    fixed_files,
    numbers::untyped,
    offsets::offset,
    read::{Probed, Read, pointer},
    report::submit,
    ring_ends,
};

/// An open is submitted. Global, so that what it takes of the stack is not taken from what tells of the one before.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn open_submitted(request: u64) -> u32 {
    asks_to_open::<true>(request as *const u8);
    0
}

/// For refusals only. Global, for the same reason.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn open_submitted_denied(request: u64) -> u32 {
    asks_to_open::<false>(request as *const u8);
    0
}

#[inline(always)]
fn asks_to_open<const SUCCESSES: bool>(request: *const u8) {
    let flags: u32 = Probed::read(request, offset!(ring_flags));
    let command = request.wrapping_add(offset!(ring_command) as usize);
    let slot: u32 = Probed::read(command, offset!(ring_open_slot));
    let directory: i32 = Probed::read(command, offset!(ring_open_directory));
    let open_flags: u32 = Probed::read(command, offset!(ring_open_flags));
    let in_root = Probed::read::<u64>(command, offset!(ring_open_resolve)) & RESOLVE_IN_ROOT != 0;
    let name = pointer::<Probed>(
        pointer::<Probed>(command, offset!(ring_open_name)),
        offset!(filename_name),
    );
    let ring: u64 = Probed::read(request, offset!(ring_context));
    let is_kept = remember(untyped(request), directory, open_flags, name, in_root);
    let completes = flags & COMPLETION_SUPPRESSED == 0;
    // A failure completes always, and is counted then where it was not kept. That it succeeded nobody sees.
    if !SUCCESSES {
        if !completes && is_kept {
            left::keep_until_run(untyped(request));
        }
        return;
    }
    let is_kept = is_kept && (!completes || overflow::kept(untyped(request), ring) != 0);
    if slot != 0 && slot != fixed_files::ANY_FREE {
        ring_ends::replaces(ring, slot);
    }
    if is_kept && (completes || ring_ends::awaited(untyped(request), ring, slot)) {
        return;
    }
    if is_kept {
        left::leave(untyped(request));
        return;
    }
    over(untyped(request));
    submit::<AttemptRecord>(Probe::FileOpen as u32, RECORD_ATTEMPT, |record| {
        // SAFETY: `record` is a reservation of this size.
        let record = unsafe { &mut *record };
        record.errno = if completes { END_TO_COME } else { END_NOT_RUN };
        record.flags = open_flags;
        match given_text::<false>(name, in_root, &mut record.given) {
            Some(length) => finish(record, length, directory),
            None => false,
        }
    });
}

/// Keeps what was asked until its end; false where there is no room.
#[inline(always)]
fn remember(request: u64, directory: i32, flags: u32, name: *const u8, in_root: bool) -> bool {
    // One before it at the same address may have ended without anybody seeing it.
    left::has_run_before(request);
    overflow::forget(request);
    // By reference: it has no room on the stack.
    let nothing: &Asked = &NOTHING_ASKED;
    if IN_FLIGHT.insert(request, nothing, 0).is_err() {
        return false;
    }
    let Some(asked) = IN_FLIGHT.get_ptr_mut(request) else {
        return false;
    };
    // SAFETY: a value of the map, which nothing else touches while its request is under way.
    let asked = unsafe { &mut *asked };
    asked.ring = Probed::read(request as *const u8, offset!(ring_context));
    asked.directory = directory;
    asked.flags = flags;
    // SAFETY: this helper only returns a number.
    asked.submitted_ns = unsafe { bpf_ktime_get_boot_ns() };
    asked.length = given_text::<false>(name, in_root, &mut asked.given).unwrap_or_default() as u32;
    asked_by::keep_actor(request);
    true
}
