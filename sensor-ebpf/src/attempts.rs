//! Opens of which only the path is known, for there is no object: refused ones, and those given to io_uring in a way whose end cannot be
//! seen.

use aya_ebpf::helpers::{
    bpf_probe_read_kernel_str_bytes, bpf_probe_read_user, bpf_probe_read_user_str_bytes,
};
use claviger_sensor_common::{AttemptRecord, Probe, RECORD_ATTEMPT};

use crate::{
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
    let (directory, given, flags) = match call {
        Call::Open => (AT_FDCWD, first, second as u32),
        Call::Creat => (AT_FDCWD, first, O_CREAT_WRONLY_TRUNC),
        Call::OpenAt => (first as i32, second, arguments.third() as u32),
        // struct open_how begins with 64 bits of flags.
        // SAFETY: the helper copies from any user address and reports a fault instead of taking it.
        Call::OpenAt2 => (
            first as i32,
            second,
            unsafe { bpf_probe_read_user(arguments.third() as *const u64) }.unwrap_or_default() as u32,
        ),
    };
    refused_by(errno, directory, given, flags);
}

/// An open was refused that was asked for so. Global, so that the verifier looks at it once and not for each call.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn refused_by(errno: u32, directory: i32, given: u64, flags: u32) -> u32 {
    if task::current_pid() == agent_pid() {
        labels::answer_denied();
        return 0;
    }
    submit_if_room::<AttemptRecord>(Probe::FileOpenDenied as u32, RECORD_ATTEMPT, |record| {
        // SAFETY: `record` is a reservation of this size.
        let record = unsafe { &mut *record };
        record.errno = errno;
        record.flags = flags;
        // SAFETY: the helper copies from any user address and reports a fault instead of taking it.
        let read = unsafe { bpf_probe_read_user_str_bytes(given as *const u8, &mut record.given) };
        let Ok(length) = read.map(<[u8]>::len) else {
            return false;
        };
        finish(record, length, directory)
    });
    0
}

/// An open was refused of which the kernel has the path, `struct filename`, and the flags.
#[inline(always)]
pub fn refused_of_name(errno: u32, directory: i32, name: *const u8, flags: u32) {
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
        // SAFETY: the helper copies from any address and reports a fault instead of taking it.
        let read = unsafe { bpf_probe_read_kernel_str_bytes(given, &mut record.given) };
        match read.map(<[u8]>::len) {
            Ok(length) => finish(record, length, directory),
            Err(_) => false,
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
    task::snapshot(&raw mut record.task);
    if record.given[0] != b'/' {
        path::walk(&start(directory), &mut record.base);
    }
    true
}
