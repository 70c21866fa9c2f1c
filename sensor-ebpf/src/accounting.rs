//! Process accounting, which the kernel writes into a file that it opens itself: `syscalls:sys_exit_acct`, where opens are seen by the exits of
//! other calls. LSM and fentry see this open as any other.

use aya_ebpf::{helpers::bpf_probe_read_user_str_bytes, macros::tracepoint, programs::TracePointContext};
use claviger_sensor_common::{AttemptRecord, Probe, RECORD_ATTEMPT};

use crate::{
    arguments::{Arguments, result},
    attempts::{AT_FDCWD, finish},
    report::submit,
};

const EACCES: i64 = 13;
/// What the kernel opens the file with.
const O_WRONLY_APPEND: u32 = 0o2001;

/// `acct(path)`. Whoever may not use it at all is refused with EPERM, before any file is looked for.
#[tracepoint]
pub fn sys_exit_acct(ctx: TracePointContext) -> u32 {
    let path = Arguments::current().first();
    let (probe, errno) = match result(&ctx) {
        0 => (Probe::FileOpen, 0),
        error if error == -EACCES => (Probe::FileOpenDenied, EACCES as u32),
        _ => return 0,
    };
    // Without a path, accounting ends.
    if path == 0 {
        return 0;
    }
    submit::<AttemptRecord>(probe as u32, RECORD_ATTEMPT, |record| {
        // SAFETY: `record` is a reservation of this size.
        let record = unsafe { &mut *record };
        record.errno = errno;
        record.flags = O_WRONLY_APPEND;
        // SAFETY: the helper copies from any user address and reports a fault instead of taking it.
        match unsafe { bpf_probe_read_user_str_bytes(path as *const u8, &mut record.given) } {
            Ok(given) => {
                let length = given.len();
                finish(record, length, AT_FDCWD)
            }
            Err(_) => false,
        }
    });
    0
}
