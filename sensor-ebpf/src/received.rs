//! Open descriptors that come from another process:
//!
//! - `receive_fd` and `receive_fd_replace` at their exits, where a program can be told what a function returned (5.17): SCM_RIGHTS, pidfd_getfd, seccomp's ADDFD,
//!   whatever the call; or else `lsm/file_receive`, `fentry/security_file_receive` (5.9 for all ways), which are asked before there is a descriptor
//! - `tp_btf/skb_copy_datagram_iovec`: a message is taken from a socket, by whatever call, and what it carries is looked at in the message itself, before the
//!   process has it: no thread of it can hide that. `syscalls:sys_exit_pidfd_getfd`: the descriptor that was returned. What seccomp's supervisor puts in is
//!   found by the look through open descriptors

use core::ffi::c_void;

use aya_ebpf::{
    helpers::generated::bpf_loop,
    macros::{btf_tracepoint, fentry, fexit, lsm, tracepoint},
    programs::{BtfTracePointContext, FEntryContext, FExitContext, LsmContext, TracePointContext},
};
use claviger_sensor_common::{Counter, MISSING, OPERATION_RECEIVE, Probe, REQUEST_RECEIVED};

use crate::{
    arguments::{self, result},
    copies,
    descriptors::{self, Take},
    file_use::{READ_FIRST, used},
    fixed_files, labels,
    numbers::untyped,
    offsets::{agent_pid, offset},
    process_files,
    read::{Probed, Read, Typed, pointer},
    report::lose,
    task,
};

/// include/linux/socket.h
const AF_UNIX: u16 = 1;
/// One message carries at most 253 descriptors (SCM_MAX_FD).
const DESCRIPTORS_MASK: u32 = 255;

/// Hooks 1 and 2: `receive_fd(file, …)` gives the descriptor, or an error.
#[fexit(function = "receive_fd")]
pub fn fexit_receive_fd(ctx: FExitContext) -> i32 {
    received_at_last(&ctx, ctx.arg(0));
    0
}

/// The same before 6.8, through which `receive_fd` goes too where the compiler has not put a copy of it there.
#[fexit(function = "__receive_fd")]
pub fn fexit_receive_fd_inner(ctx: FExitContext) -> i32 {
    received_at_last(&ctx, ctx.arg(0));
    0
}

/// Beside it: `receive_fd_replace(number, file, flags)`, by a seccomp supervisor who says the number.
#[fexit(function = "receive_fd_replace")]
pub fn fexit_receive_fd_replace(ctx: FExitContext) -> i32 {
    received_at_last(&ctx, ctx.arg(1));
    0
}

#[inline(always)]
fn received_at_last(ctx: &FExitContext, file: *const u8) {
    if ctx.ret::<i32>().is_ok_and(|descriptor| descriptor >= 0) {
        received_with_ring::<Typed>(file);
    }
}

/// Hook 1, where these cannot be.
#[lsm(hook = "file_receive")]
pub fn lsm_file_receive(ctx: LsmContext) -> i32 {
    received_with_ring::<Typed>(ctx.arg(0));
    0
}

/// Hook 2, where these cannot be.
#[fentry(function = "security_file_receive")]
pub fn fentry_security_file_receive(ctx: FEntryContext) -> i32 {
    received_with_ring::<Typed>(ctx.arg(0));
    0
}

/// Hook 3: `skb_copy_datagram_iovec(buffer, length)`, for messages of every kind of socket, of which only unix ones carry files, and few of them do.
#[btf_tracepoint(function = "skb_copy_datagram_iovec")]
pub fn message_taken(ctx: BtfTracePointContext) -> i32 {
    let buffer: *const u8 = ctx.arg(0);
    // Its sender's; what comes from a network has none.
    let socket = pointer::<Typed>(buffer, offset!(buffer_socket));
    if socket.is_null() {
        return 0;
    }
    if offset!(buffer_carried) == MISSING || Typed::read::<u16>(socket, offset!(socket_family)) != AF_UNIX {
        return 0;
    }
    let carried = pointer::<Probed>(buffer, offset!(buffer_carried));
    if !carried.is_null() && !leaves_files() {
        taken_from(untyped(carried));
    }
    0
}

/// Whether the call under way gives no room for files, so that the kernel lets go of them. Others may give none: what they are sent is told as received.
/// So is what a task is sent that uses io_uring, for a ring may receive while its task is in any call, and a worker of a ring is in none.
#[inline(always)]
fn leaves_files() -> bool {
    if task::may_run_ring() {
        return false;
    }
    /// `read`, `readv`, `recvfrom`, `splice`, `preadv`, `preadv2`, of x86-64, and `read`, `readv`, `recvfrom` as 32-bit calls.
    const NATIVE: [u32; 6] = [0, 19, 45, 275, 295, 327];
    const COMPAT: [u32; 3] = [3, 145, 371];
    let number = arguments::call_number();
    if task::is_in_compat_call() {
        COMPAT.contains(&number)
    } else {
        NATIVE.contains(&number)
    }
}

/// The files that a message carries, and the last ring that was found among them.
struct Carried {
    files: u64,
    ring: u64,
    told: u32,
}

/// A message was taken that carries files: `struct scm_fp_list`. Global, so that what it takes of the stack is not taken from others.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn taken_from(list: u64) -> u32 {
    let list = list as *const u8;
    let count = u32::from(Probed::read::<u16>(list, offset!(carried_count))) & DESCRIPTORS_MASK;
    let mut carried = Carried {
        files: untyped(list.wrapping_add(offset!(carried_files) as usize)),
        ring: 0,
        told: 0,
    };
    // SAFETY: the callback takes a number and the pointer given here, which outlives the call.
    unsafe {
        bpf_loop(
            count,
            one_carried as *const () as *mut c_void,
            (&raw mut carried).cast(),
            0,
        );
    }
    // Here, for there may be no more calls within calls below the loop. Of several rings in one message the last; the others are found held.
    taken(carried.told | received_in(carried.ring));
    0
}

extern "C" fn one_carried(index: u64, carried: *mut Carried) -> i64 {
    // SAFETY: what the caller keeps on its stack.
    let carried = unsafe { &mut *carried };
    let file = pointer::<Probed>((carried.files + index * 8) as *const u8, 0);
    if file.is_null() {
        return 0;
    }
    carried.told |= received_by_call(untyped(file));
    let ring = fixed_files::ring(file);
    if ring != 0 {
        carried.ring = ring;
    }
    0
}

/// Beside hook 3: what came from another process's table.
#[tracepoint]
pub fn sys_exit_pidfd_getfd(ctx: TracePointContext) -> u32 {
    let result = result(&ctx);
    if result < 0 {
        return 0;
    }
    let file = descriptors::file::<Probed>(result as u32);
    if file.is_null() {
        lose(Probe::FileReceived, Counter::LostDescriptorGone);
        return 0;
    }
    taken(received_by_call(untyped(file)) | received_in(fixed_files::ring(file)));
    0
}

/// A credential that came open counts as read: what is open for writing meanwhile may take it up.
#[inline(always)]
fn taken(told: u32) {
    if told & READ_FIRST != 0 {
        copies::look_at_what_is_open();
    }
}

/// As [`received`]. Global, so that the verifier looks at it once, and not for every state of the loops around it.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn received_by_call(file: u64) -> u32 {
    received::<Probed>(file as *const u8)
}

/// A file was received, and with a ring what it has open.
#[inline(always)]
fn received_with_ring<R: Read>(file: *const u8) {
    taken(received::<R>(file) | received_in(fixed_files::ring(file)));
}

/// What [`used`] tells.
#[inline(always)]
fn received<R: Read>(file: *const u8) -> u32 {
    if task::current_pid() == agent_pid() {
        labels::answer_seen(REQUEST_RECEIVED);
        return 0;
    }
    if process_files::process_file_came(untyped(file), OPERATION_RECEIVE) != 0 {
        return 0;
    }
    let told = used::<R>(Probe::FileReceived, OPERATION_RECEIVE, file);
    copies::received::<R>(file);
    told
}

/// A ring was received, if it is one, and what it has open with it. Global, so that the verifier looks at it once.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn received_in(ring: u64) -> u32 {
    if ring == 0 || task::current_pid() == agent_pid() {
        return 0;
    }
    fixed_files::each::<InRing>(Probe::FileReceived, ring)
}

struct InRing;

impl Take for InRing {
    #[inline(always)]
    fn take(file: *const u8) -> u32 {
        // In this order, which takes less of the stack.
        let told = used::<Probed>(Probe::FileReceived, OPERATION_RECEIVE, file);
        copies::received::<Probed>(file);
        process_files::process_file_came(untyped(file), OPERATION_RECEIVE);
        told
    }
}
