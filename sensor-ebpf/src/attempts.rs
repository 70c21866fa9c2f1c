//! Opens of which only the path is known, for there is no object: refused ones, and those given to io_uring in a way whose end cannot be
//! seen.

use aya_ebpf::helpers::{
    bpf_probe_read_kernel_str_bytes, bpf_probe_read_user, bpf_probe_read_user_str_bytes,
};
use claviger_sensor_common::{ABOVE_NOTHING, AttemptRecord, GIVEN_PATH_BYTES, Probe, RECORD_ATTEMPT};

use crate::{
    agent_root,
    arguments::Arguments,
    given::start,
    labels,
    offsets::{agent_pid, offset},
    path,
    read::{Probed, pointer},
    report::submit_if_room,
    task,
};

const EPERM: i64 = 1;
const EACCES: i64 = 13;
/// include/uapi/linux/fcntl.h
pub const AT_FDCWD: i32 = -100;
/// include/uapi/linux/openat2.h: the directory stands for the root, also for a path that begins with a slash.
pub const RESOLVE_IN_ROOT: u64 = 0x10;
/// Where `resolve` stands in a `struct open_how`, behind flags and mode of 64 bits each.
const RESOLVE_AT: usize = 16;
/// What creat opens with.
pub const O_CREAT_WRONLY_TRUNC: u32 = 0o1101;

/// The calls that open by path.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Call {
    Open,
    OpenAt,
    OpenAt2,
    Creat,
}

/// Whether an error is a refusal: of the many ways to fail, those that tell of a right that is missing.
#[inline(always)]
pub fn is_refusal(result: i64) -> bool {
    result == -EACCES || result == -EPERM
}

/// An open was refused. The arguments still stand in the task's saved registers.
#[inline(always)]
pub fn refused(call: Call, errno: u32) {
    let arguments = Arguments::current();
    let first = arguments.first();
    let second = arguments.second();
    let (directory, given, (flags, in_root)) = match call {
        Call::Open => (AT_FDCWD, first, (second as u32, 0)),
        Call::Creat => (AT_FDCWD, first, (O_CREAT_WRONLY_TRUNC, 0)),
        Call::OpenAt => (first as i32, second, (arguments.third() as u32, 0)),
        Call::OpenAt2 => (first as i32, second, how(arguments.third() as *const u8)),
    };
    refused_by(errno, directory, given, flags, in_root);
}

/// The flags of a `struct open_how` of the process, and whether the directory stands for the root.
#[inline(always)]
pub fn how(at: *const u8) -> (u32, u32) {
    // SAFETY: the helper copies from any user address and reports a fault instead of taking it.
    let number = |place: usize| unsafe { bpf_probe_read_user(at.wrapping_add(place).cast::<u64>()) };
    // Its first 64 bits are flags.
    let flags = number(0).unwrap_or_default() as u32;
    let resolve = number(RESOLVE_AT).unwrap_or_default();
    (flags, u32::from(resolve & RESOLVE_IN_ROOT != 0))
}

/// An open was refused that was asked for so. Global, so that the verifier looks at it once and not for each call.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn refused_by(errno: u32, directory: i32, given: u64, flags: u32, in_root: u32) -> u32 {
    if task::current_pid() == agent_pid() {
        labels::answer_denied();
        return 0;
    }
    submit_if_room::<AttemptRecord>(Probe::FileOpenDenied as u32, RECORD_ATTEMPT, |record| {
        // SAFETY: `record` is a reservation of this size.
        let record = unsafe { &mut *record };
        record.errno = errno;
        record.flags = flags;
        match given_text::<true>(given as *const u8, in_root != 0, &mut record.given) {
            Some(length) => finish(record, length, directory),
            None => false,
        }
    });
    0
}

/// Reads a path as it was given: its length. Where its directory stands for the root, it is put down as one that starts there, whatever it begins with.
#[inline(always)]
pub fn given_text<const USER: bool>(
    given: *const u8,
    in_root: bool,
    out: &mut [u8; GIVEN_PATH_BYTES],
) -> Option<usize> {
    // SAFETY: the helpers copy from any address and report a fault instead of taking it.
    let read = |out: &mut [u8]| unsafe {
        if USER {
            bpf_probe_read_user_str_bytes(given, out).map(<[u8]>::len)
        } else {
            bpf_probe_read_kernel_str_bytes(given, out).map(<[u8]>::len)
        }
    };
    if !in_root {
        return read(out).ok();
    }
    let [dot, slash, rest @ ..] = out;
    (*dot, *slash) = (b'.', b'/');
    read(rest).ok().map(|length| length + 2)
}

/// An open was refused of which the kernel has the path, `struct filename`, and the flags.
#[inline(always)]
pub fn refused_of_name(errno: u32, directory: i32, name: *const u8, flags: u32, in_root: bool) {
    if task::current_pid() == agent_pid() {
        labels::answer_denied();
        return;
    }
    submit_if_room::<AttemptRecord>(Probe::FileOpenDenied as u32, RECORD_ATTEMPT, |record| {
        // SAFETY: `record` is a reservation of this size.
        let record = unsafe { &mut *record };
        record.errno = errno;
        record.flags = flags;
        let given = pointer::<Probed>(name, offset!(filename_name));
        match given_text::<false>(given, in_root, &mut record.given) {
            Some(length) => finish(record, length, directory),
            None => false,
        }
    });
}

/// Fills in what follows from the path given, of this length.
#[inline(always)]
pub fn finish(record: &mut AttemptRecord, length: usize, directory: i32) -> bool {
    record.given_length = length as u32;
    record.given_truncated = u32::from(length + 1 >= record.given.len());
    record.base.length = 0;
    record.base.truncated = 0;
    record.root = path::root_id();
    task::snapshot(&raw mut record.task);
    record.reserved = 0;
    record.above = ABOVE_NOTHING;
    if record.given[0] != b'/' {
        record.above = agent_root::walk_from(start(directory), &mut record.base);
    }
    true
}
