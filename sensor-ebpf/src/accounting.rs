//! Process accounting, which the kernel writes into a file that it opens itself: `syscalls:sys_exit_acct`, where opens are seen by the exits of
//! other calls. LSM and fentry see this open as any other.

use aya_ebpf::{helpers::bpf_probe_read_user_str_bytes, macros::tracepoint, programs::TracePointContext};
use claviger_sensor_common::{AttemptRecord, Probe, RECORD_ATTEMPT};

use crate::{
    arguments::{Arguments, result},
    attempts::{AT_FDCWD, finish, refused_by},
    report::submit,
};

const EACCES: i64 = 13;
/// What the kernel opens the file with.
const O_WRONLY_APPEND: u32 = 0o2001;

/// `acct(path)`. Whoever may not use it at all is refused with EPERM, before any file is looked for.
#[tracepoint]
pub fn sys_exit_acct(ctx: TracePointContext) -> u32 {
    let path = Arguments::current().first();
    // Without a path, accounting ends.
    if path == 0 {
        return 0;
    }
    match result(&ctx) {
        0 => succeeded(path),
        error if error == -EACCES => {
            refused_by(EACCES as u32, AT_FDCWD, path, O_WRONLY_APPEND, 0);
        }
        _ => {}
    }
    0
}

#[inline(always)]
fn succeeded(path: u64) {
    submit::<AttemptRecord>(Probe::FileOpen as u32, RECORD_ATTEMPT, |record| {
        // SAFETY: `record` is a reservation of this size.
        let record = unsafe { &mut *record };
        record.errno = 0;
        record.flags = O_WRONLY_APPEND;
        // SAFETY: the helper copies from any user address and reports a fault instead of taking it.
        let read = unsafe { bpf_probe_read_user_str_bytes(path as *const u8, &mut record.given) };
        match read.map(<[u8]>::len) {
            Ok(length) => finish(record, length, AT_FDCWD),
            Err(_) => false,
        }
    });
}
