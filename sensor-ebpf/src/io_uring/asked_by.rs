//! Who has asked for an open, and where its path starts: what another task that completes it does not have, and what the process can change until then.

use aya_ebpf::helpers::bpf_probe_read_kernel_buf;
use claviger_sensor_common::{AttemptRecord, END_UNKNOWN};
use zerocopy::IntoBytes as _;

use super::{Asked, IN_FLIGHT, told_from_here};
use crate::{actor, agent_root, given, numbers::untyped, path, task};

/// What an errno is at most.
const ERRNO_MAX: u32 = 4_095;

/// Keeps both. Global, so that what it takes of the stack is free again behind it.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn keep_actor(request: u64) -> u32 {
    let Some(asked) = IN_FLIGHT.get_ptr_mut(request) else {
        return 0;
    };
    // SAFETY: a value of the map, which nothing else touches while its request is under way.
    let asked = unsafe { &mut *asked };
    asked.actor.take_current();
    asked.root = path::root_id();
    if is_relative(asked) {
        let start = given::start(asked.directory);
        asked.start = untyped(start.dentry);
        if asked.start != 0 {
            asked.above = agent_root::walk_from(start, &mut asked.base);
        }
    }
    0
}

#[inline(always)]
fn is_relative(asked: &Asked) -> bool {
    asked.given[0] != b'/'
}

/// Whether the current task, which completes an open, is of the process that has asked for it; of one that was not kept, whether it can be.
#[inline(always)]
pub fn is_current(request: u64) -> bool {
    match IN_FLIGHT.get_ptr(request) {
        // SAFETY: a value of the map, which stays while this program runs.
        Some(asked) => unsafe { (*asked).actor.is_current() },
        None => !task::is_of_kernel(),
    }
}

/// Whether it is known where the path started: not by a descriptor that was open only later.
#[inline(always)]
pub fn is_start_known(asked: &Asked) -> bool {
    !is_relative(asked) || asked.start != 0
}

/// Where the path may have started elsewhere than when it was submitted, for what it starts at is another now, tells it from there as well: which of both it was when the
/// request ran is not known. Where it leads to nothing, the agent passes it over. Whether it was told.
#[inline(always)]
pub fn told_from_elsewhere(request: u64, asked: &Asked, errno: u32, probe: u32) -> bool {
    let has_ended = errno <= ERRNO_MAX || errno == END_UNKNOWN;
    if !is_relative(asked) || !asked.actor.is_current() || (asked.start != 0 && !has_ended) {
        return false;
    }
    let now = untyped(given::start(asked.directory).dentry);
    now != 0 && now != asked.start && told_from_here(request, errno, probe) != 0
}

/// Fills in what was kept.
#[inline(always)]
pub fn fill(record: &mut AttemptRecord, asked: &Asked) -> bool {
    record.given_length = asked.length;
    record.given_truncated = u32::from(asked.length as usize + 1 >= record.given.len());
    record.root = asked.root;
    record.above = asked.above;
    record.reserved = 0;
    actor::copy_task((&raw const asked.actor) as u64, &raw mut record.task);
    // SAFETY: the helper copies from any address and reports a fault instead of taking it.
    unsafe { bpf_probe_read_kernel_buf((&raw const asked.base).cast(), record.base.as_mut_bytes()) }.is_ok()
}
