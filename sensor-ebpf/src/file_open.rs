//! Opens of credential files. Three hooks see the same thing; the loader attaches one of them:
//!
//! - `lsm/file_open` (5.7, `bpf` among the active LSMs): whatever the system call; can deny. An LSM after ours, a lease, a listener that is asked (fanotify) or
//!   the file system may still refuse, so what came of it is seen at the exit of `do_dentry_open`, or else of `security_file_open`, where a program can be
//!   told what a function returned (5.17)
//! - these exits alone, or else the entry of `security_file_open` (5.5): the same, cannot deny
//! - `syscalls:sys_exit_{open,openat,openat2,creat,open_by_handle_at}` (tracefs): the descriptor that was returned, resolved in the task's
//!   table. What io_uring opens is seen by [`crate::io_uring`] beside it.
//!
//! Refused attempts reach none of the first two, so the exit of `do_filp_open`, or else the exits of the same calls, are looked at for errors
//! beside them. 32-bit entry on tracepoints is seen by [`crate::compat_calls`], where it is asked for.

use aya_ebpf::{
    macros::{fentry, fexit, lsm, tracepoint},
    programs::{FEntryContext, FExitContext, LsmContext, TracePointContext},
};
use claviger_sensor_common::{Counter, OPERATION_OPEN, Probe};

use crate::{
    arguments::{Arguments, number, result},
    attempts::{Call, is_refusal, refused, refused_of_name},
    changes, copies, descriptors,
    file_use::{KNOWN, OPENED_TO_RUN, READ_FIRST, is_for_use, used, used_before_layer, used_behind_layer},
    first_files, handles, labels,
    numbers::untyped,
    offsets::{agent_pid, offset},
    process_files,
    read::{Probed, Read, Typed, pointer},
    report::lose,
    task,
};

/// Hook 1, beside [`fexit_security_file_open_beside`], which alone knows what came of it: shows that it is asked, which is where an open can be denied.
#[lsm(hook = "file_open")]
pub fn lsm_file_open_asked(ctx: LsmContext) -> i32 {
    if task::current_pid() == agent_pid() {
        answer(untyped(ctx.arg(0)));
    }
    0
}

/// Hook 1, alone.
#[lsm(hook = "file_open")]
pub fn lsm_file_open(ctx: LsmContext) -> i32 {
    opened_by_any::<Typed>(ctx.arg(0));
    0
}

/// Beside hook 1: the file is open. What was refused after the hook is seen as a refusal. It does not answer the agent, who is to learn whether hook 1 runs.
#[fexit(function = "do_dentry_open")]
pub fn fexit_do_dentry_open_beside(ctx: FExitContext) -> i32 {
    if ctx.ret::<i32>() == Ok(0) && task::current_pid() != agent_pid() {
        opened_at_last::<Typed>(ctx.arg(0));
    }
    0
}

/// The same, where that function cannot be attached to: every LSM was asked.
#[fexit(function = "security_file_open")]
pub fn fexit_security_file_open_beside(ctx: FExitContext) -> i32 {
    if ctx.ret::<i32>() == Ok(0) && task::current_pid() != agent_pid() {
        opened_by_any::<Typed>(ctx.arg(0));
    }
    0
}

/// Hook 2: as above.
#[fexit(function = "do_dentry_open")]
pub fn fexit_do_dentry_open(ctx: FExitContext) -> i32 {
    if ctx.ret::<i32>() == Ok(0) {
        opened_at_last::<Typed>(ctx.arg(0));
    }
    0
}

/// The same, where that function cannot be attached to.
#[fexit(function = "security_file_open")]
pub fn fexit_security_file_open(ctx: FExitContext) -> i32 {
    if ctx.ret::<i32>() == Ok(0) {
        opened_by_any::<Typed>(ctx.arg(0));
    }
    0
}

/// Hook 2, where a program can not be told what a function returned.
#[fentry(function = "security_file_open")]
pub fn fentry_security_file_open(ctx: FEntryContext) -> i32 {
    opened_by_any::<Typed>(ctx.arg(0));
    0
}

/// Hook 3, for all of the calls, where pointers can be given types (6.2): a third of the cost.
#[tracepoint]
pub fn sys_exit_opens_typed(ctx: TracePointContext) -> u32 {
    let result = result(&ctx);
    if result >= 0 {
        returned::<Typed>(descriptors::typed_file(result as u32));
    } else {
        failed(&ctx, result);
    }
    0
}

/// Hook 3, for all of the calls, on kernels before: typed too, but for descriptors that come late in a process's table.
#[tracepoint]
pub fn sys_exit_opens(ctx: TracePointContext) -> u32 {
    let result = result(&ctx);
    if result >= 0 {
        let file = first_files::typed_file(result as u32);
        if file.is_null() {
            returned::<Probed>(descriptors::file::<Typed>(result as u32));
        } else {
            returned::<Typed>(file);
        }
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

/// include/linux/namei.h, of RESOLVE_IN_ROOT.
const LOOKUP_IN_ROOT: u32 = 1 << 20;

/// errno(3): a program that runs cannot be written. Told for the sensor's own.
const ETXTBSY: i64 = 26;

/// Beside hooks 1 and 2, whatever the system call: `do_filp_open(directory, name, how)` opens by path.
#[fexit(function = "do_filp_open")]
pub fn fexit_do_filp_open(ctx: FExitContext) -> i32 {
    let Ok(result) = ctx.ret::<i64>() else {
        return 0;
    };
    if !is_refusal(result) && result != -ETXTBSY {
        return 0;
    }
    let how: *const u8 = ctx.arg(2);
    let flags: u32 = Probed::read(how, offset!(how_flags));
    if flags & OPENED_TO_RUN == 0 {
        let in_root = Probed::read::<u32>(how, offset!(how_lookup)) & LOOKUP_IN_ROOT != 0;
        refused_of_name(-result as u32, ctx.arg(0), ctx.arg(1), flags, in_root);
    }
    0
}

#[inline(always)]
fn failed(ctx: &TracePointContext, result: i64) {
    if !is_refusal(result) && result != -ETXTBSY {
        return;
    }
    let call = match number(ctx) {
        number::OPEN => Call::Open,
        number::OPENAT => Call::OpenAt,
        number::OPENAT2 => Call::OpenAt2,
        number::CREAT => Call::Creat,
        number::OPEN_BY_HANDLE_AT => {
            let arguments = Arguments::current();
            handles::refused_of_handle(
                -result as u32,
                arguments.first() as i32,
                arguments.second(),
                arguments.third() as u32,
            );
            return;
        }
        _ => return,
    };
    refused(call, -result as u32);
}

/// A file is open, after what overlayfs opens for it in its layers. What only names a file comes by here too.
#[inline(always)]
fn opened_at_last<R: Read>(file: *const u8) {
    if !is_for_use(R::read(file, offset!(file_mode))) {
        return;
    }
    opened_as::<R>(file, |file| {
        used_behind_layer::<R>(Probe::FileOpen, OPERATION_OPEN, file)
    });
}

/// A file was opened, also by overlayfs, which opens a file of its layers for each of its own.
#[inline(always)]
fn opened_by_any<R: Read>(file: *const u8) {
    opened_as::<R>(file, |file| {
        used_before_layer::<R>(Probe::FileOpen, OPERATION_OPEN, file)
    });
}

/// A descriptor was returned, or a place of a ring. Another thread can have closed it since, and then nothing says what it was. Returns 0 for a file that is
/// nothing to tell.
#[inline(always)]
pub fn returned<R: Read>(file: *const u8) -> u32 {
    if file.is_null() {
        lose(Probe::FileOpen, Counter::LostDescriptorGone);
        return KNOWN;
    }
    opened::<R>(file)
}

/// A file was opened.
#[inline(always)]
fn opened<R: Read>(file: *const u8) -> u32 {
    opened_as::<R>(file, |file| used::<R>(Probe::FileOpen, OPERATION_OPEN, file))
}

#[inline(always)]
fn opened_as<R: Read>(file: *const u8, used: impl FnOnce(*const u8) -> u32) -> u32 {
    if task::current_pid() == agent_pid() {
        answer(untyped(file));
        return KNOWN;
    }
    if process_files::opened::<R>(file) {
        return KNOWN;
    }
    let found = used(file);
    go_on::<R>(file, found);
    found
}

/// What else an open may be: the creation of a credential, or of what becomes a copy of one.
#[inline(always)]
fn go_on<R: Read>(file: *const u8, found: u32) {
    if found & READ_FIRST != 0 {
        copies::look_at_what_is_open();
    }
    if found & KNOWN != 0 {
        changes::opened::<R>(file);
    }
    copies::opened::<R>(file);
}

/// The agent's own opens are questions, never uses. Global, so that what they take of the stack is not taken from uses.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn answer(file: u64) -> u32 {
    let file = file as *const u8;
    labels::answer(file, pointer::<Probed>(file, offset!(file_inode)));
    0
}
