//! Opens of credential files. Three hooks see the same thing; the loader attaches one of them:
//!
//! - `lsm/file_open` (5.7, `bpf` among the active LSMs): whatever the system call, before an LSM after ours may still refuse
//! - `fentry/security_file_open` (5.5): the same, cannot deny
//! - `syscalls:sys_exit_{open,openat,openat2,creat,open_by_handle_at}` (tracefs): the descriptor that was returned, resolved in the task's
//!   table; does not see 32-bit entry. What io_uring opens is seen by [`crate::io_uring`] beside it.
//!
//! Refused attempts reach none of the first two, so the exits of the same calls are looked at for errors beside them.

use aya_ebpf::{
    macros::{fentry, lsm, tracepoint},
    programs::{FEntryContext, LsmContext, TracePointContext},
};
use claviger_sensor_common::{OPERATION_OPEN, Probe};

use crate::{
    arguments::{number, result},
    attempts::{Call, is_refusal, refused},
    changes::created,
    descriptors,
    file_use::{untyped, used},
    labels,
    offsets::{agent_pid, offset},
    process_files,
    read::{Probed, Read, Typed, pointer},
    task,
};

/// Hook 1.
#[lsm(hook = "file_open")]
pub fn lsm_file_open(ctx: LsmContext) -> i32 {
    opened::<Typed>(ctx.arg(0));
    0
}

/// Hook 2.
#[fentry(function = "security_file_open")]
pub fn fentry_security_file_open(ctx: FEntryContext) -> i32 {
    opened::<Typed>(ctx.arg(0));
    0
}

/// Hook 3, for all of the calls, where pointers can be given types (6.2): a third of the cost.
#[tracepoint]
pub fn sys_exit_opens_typed(ctx: TracePointContext) -> u32 {
    let result = result(&ctx);
    if result >= 0 {
        opened::<Typed>(descriptors::typed_file(result as u32));
    } else {
        failed(&ctx, result);
    }
    0
}

/// Hook 3, for all of the calls, on kernels before.
#[tracepoint]
pub fn sys_exit_opens(ctx: TracePointContext) -> u32 {
    let result = result(&ctx);
    if result >= 0 {
        opened::<Probed>(descriptors::file(result as u32));
    } else {
        failed(&ctx, result);
    }
    0
}

/// Beside hooks 1 and 2.
#[tracepoint]
pub fn sys_exit_opens_denied(ctx: TracePointContext) -> u32 {
    failed(&ctx, result(&ctx));
    0
}

#[inline(always)]
fn failed(ctx: &TracePointContext, result: i64) {
    if !is_refusal(result) {
        return;
    }
    let call = match number(ctx) {
        number::OPEN => Call::Open,
        number::OPENAT => Call::OpenAt,
        number::OPENAT2 => Call::OpenAt2,
        number::CREAT => Call::Creat,
        // A handle names no path.
        _ => return,
    };
    refused(call, -result as u32);
}

/// A file was opened.
#[inline(always)]
pub fn opened<R: Read>(file: *const u8) {
    if task::current_pid() == agent_pid() {
        // The agent's own opens are questions, never uses.
        labels::answer::<R>(file, pointer::<R>(file, offset!(file_inode)));
        return;
    }
    if !process_files::opened::<R>(file) && used::<R>(Probe::FileOpen, OPERATION_OPEN, file) {
        created(untyped(file));
    }
}
