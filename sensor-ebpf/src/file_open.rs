//! Opens of credential files. Three hooks see the same thing; the loader attaches one of them:
//!
//! - `lsm/file_open` (5.7, `bpf` among the active LSMs): whatever the system call, before an LSM after ours may still refuse
//! - `fentry/security_file_open` (5.5): the same, cannot deny
//! - `syscalls:sys_exit_{open,openat,openat2}` (tracefs): the descriptor that was returned, resolved in the task's table; does not see
//!   32-bit entry, io_uring, open_by_handle_at
//!
//! Refused attempts reach none of the first two, so the exits of the same calls are looked at for errors beside them.

use aya_ebpf::{
    helpers::{bpf_probe_read_user, bpf_probe_read_user_str_bytes, generated::bpf_task_pt_regs},
    macros::{fentry, lsm, tracepoint},
    programs::{FEntryContext, LsmContext, TracePointContext},
};
use claviger_sensor_common::{
    DIRECTORY_HAS_PATTERNS, DeniedRecord, Label, MATCHED_DIRECTORY_PATTERN, MATCHED_NAME, MATCHED_OBJECT,
    OPENED_FOR_READING, OPENED_FOR_WRITING, ObjectKey, OpenRecord, Probe, RECORD_DENIED, RECORD_OPEN,
};

use crate::{
    labels,
    offsets::{agent_pid, offset},
    path,
    read::{Probed, Read, Typed, pointer},
    report::submit,
    task,
};

const EPERM: i64 = 1;
const EACCES: i64 = 13;
/// include/linux/fs.h
const FMODE_READ: u32 = 0x1;
const FMODE_WRITE: u32 = 0x2;
/// Opened with O_PATH: names a file, reads nothing.
const FMODE_PATH: u32 = 0x4000;
/// include/uapi/linux/stat.h
const S_IFMT: u16 = 0o170_000;
const S_IFREG: u16 = 0o100_000;
/// include/uapi/linux/fcntl.h
const AT_FDCWD: i32 = -100;

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

/// Hook 3, for each of the calls.
#[tracepoint]
pub fn sys_exit_open(ctx: TracePointContext) -> u32 {
    exited(&ctx, Call::Open, true)
}

/// Hook 3.
#[tracepoint]
pub fn sys_exit_openat(ctx: TracePointContext) -> u32 {
    exited(&ctx, Call::OpenAt, true)
}

/// Hook 3.
#[tracepoint]
pub fn sys_exit_openat2(ctx: TracePointContext) -> u32 {
    exited(&ctx, Call::OpenAt2, true)
}

/// Beside hooks 1 and 2.
#[tracepoint]
pub fn sys_exit_open_denied(ctx: TracePointContext) -> u32 {
    exited(&ctx, Call::Open, false)
}

/// Beside hooks 1 and 2.
#[tracepoint]
pub fn sys_exit_openat_denied(ctx: TracePointContext) -> u32 {
    exited(&ctx, Call::OpenAt, false)
}

/// Beside hooks 1 and 2.
#[tracepoint]
pub fn sys_exit_openat2_denied(ctx: TracePointContext) -> u32 {
    exited(&ctx, Call::OpenAt2, false)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Call {
    Open,
    OpenAt,
    OpenAt2,
}

/// The exit of an open call. `ctx` holds the common fields (8 bytes), the call's number (8 bytes) and its result (8 bytes).
#[inline(always)]
fn exited(ctx: &TracePointContext, call: Call, successes: bool) -> u32 {
    // SAFETY: the format of syscalls:sys_exit_* has the result at 16 on every kernel with 64-bit longs.
    let Ok(result) = (unsafe { ctx.read_at::<i64>(16) }) else {
        return 0;
    };
    if result < 0 {
        if result == -EACCES || result == -EPERM {
            denied(call, -result as u32);
        }
        return 0;
    }
    if successes {
        let files = pointer::<Typed>(task::current(), offset!(task_files));
        let table = pointer::<Typed>(files, offset!(files_fdt));
        let descriptors = pointer::<Typed>(table, offset!(fdtable_fd));
        let file = pointer::<Probed>(descriptors.wrapping_add(result as usize * 8), 0);
        opened::<Probed>(file);
    }
    0
}

/// A file was opened: dismissed here unless it, or its name in its directory, is known.
#[inline(always)]
fn opened<R: Read>(file: *const u8) {
    let inode = pointer::<R>(file, offset!(file_inode));
    if task::current_pid() == agent_pid() {
        // The agent's own opens are questions, never uses.
        labels::answer::<R>(inode);
        return;
    }
    let dentry = pointer::<R>(file, offset!(file_dentry));
    let directory = pointer::<R>(
        pointer::<R>(dentry, offset!(dentry_parent)),
        offset!(dentry_inode),
    );
    let by_object = labels::may_be_labelled(R::read(inode, offset!(inode_ino)));
    let by_directory = labels::may_be_labelled(R::read(directory, offset!(inode_ino)));
    if !by_object && !by_directory {
        return;
    }
    let mode: u32 = R::read(file, offset!(file_mode));
    if mode & FMODE_PATH != 0 {
        return;
    }
    let object = labels::key::<R>(inode);
    let mut found: Option<(Label, u32)> = None;
    if by_object {
        found = labels::of_object(&object).map(|label| (label, MATCHED_OBJECT));
    }
    if found.is_none() && by_directory {
        found = in_directory::<R>(labels::key::<R>(directory), dentry, inode);
    }
    if let Some((label, matched)) = found {
        report(file, object, label, matched, mode);
    }
}

/// What is known of a name in a directory.
#[inline(always)]
fn in_directory<R: Read>(directory: ObjectKey, dentry: *const u8, inode: *const u8) -> Option<(Label, u32)> {
    let directory_label = labels::of_directory(&directory)?;
    let kind: u16 = R::read(inode, offset!(inode_mode));
    if kind & S_IFMT != S_IFREG {
        return None;
    }
    if let Some(label) = labels::of_name(directory, dentry) {
        return Some((label, MATCHED_NAME));
    }
    (directory_label.flags & DIRECTORY_HAS_PATTERNS != 0)
        .then_some((directory_label, MATCHED_DIRECTORY_PATTERN))
}

#[inline(always)]
fn report(file: *const u8, object: ObjectKey, label: Label, matched: u32, mode: u32) {
    submit::<OpenRecord>(Probe::FileOpen, RECORD_OPEN, |record| {
        // SAFETY: `record` is a reservation of this size.
        let record = unsafe { &mut *record };
        record.object = object;
        record.label = label;
        record.matched = matched;
        let reads = if mode & FMODE_READ != 0 {
            OPENED_FOR_READING
        } else {
            0
        };
        let writes = if mode & FMODE_WRITE != 0 {
            OPENED_FOR_WRITING
        } else {
            0
        };
        record.access = reads | writes;
        task::snapshot(&raw mut record.task);
        path::walk(&path::of_file(file), &mut record.path);
        true
    });
}

/// An open was refused: there is no object, only what the process asked for. The arguments still stand in its saved registers.
#[inline(always)]
fn denied(call: Call, errno: u32) {
    if task::current_pid() == agent_pid() {
        labels::answer_denied();
        return;
    }
    submit::<DeniedRecord>(Probe::FileOpenDenied, RECORD_DENIED, |record| {
        // SAFETY: `record` is a reservation of this size.
        let record = unsafe { &mut *record };
        // SAFETY: the helper takes the current task and returns its saved registers, typed.
        let registers = unsafe { bpf_task_pt_regs(task::current().cast_mut().cast()) } as *const u8;
        let first: u64 = Typed::read(registers, offset!(regs_first));
        let second: u64 = Typed::read(registers, offset!(regs_second));
        let third: u64 = Typed::read(registers, offset!(regs_third));
        let (directory, given, flags) = match call {
            Call::Open => (AT_FDCWD, first, second as u32),
            Call::OpenAt => (first as i32, second, third as u32),
            // struct open_how begins with 64 bits of flags.
            // SAFETY: the helper copies from any user address and reports a fault instead of taking it.
            Call::OpenAt2 => (
                first as i32,
                second,
                unsafe { bpf_probe_read_user(third as *const u64) }.unwrap_or_default() as u32,
            ),
        };
        record.errno = errno;
        record.flags = flags;
        // SAFETY: as above.
        let read = unsafe { bpf_probe_read_user_str_bytes(given as *const u8, &mut record.given) };
        let Ok(length) = read.map(<[u8]>::len) else {
            return false;
        };
        record.given_length = length as u32;
        record.given_truncated = u32::from(length + 1 >= record.given.len());
        record.base.length = 0;
        record.base.truncated = 0;
        task::snapshot(&raw mut record.task);
        if record.given[0] != b'/' {
            let base = if directory == AT_FDCWD {
                path::working_directory()
            } else {
                of_descriptor(directory)
            };
            path::walk(&base, &mut record.base);
        }
        true
    });
}

/// Where an open descriptor of the current task leads.
#[inline(always)]
fn of_descriptor(descriptor: i32) -> path::Place {
    let files = pointer::<Typed>(task::current(), offset!(task_files));
    let table = pointer::<Typed>(files, offset!(files_fdt));
    let descriptors = pointer::<Typed>(table, offset!(fdtable_fd));
    path::of_file(pointer::<Probed>(
        descriptors.wrapping_add(descriptor as u32 as usize * 8),
        0,
    ))
}
