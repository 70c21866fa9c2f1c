//! Open descriptors that come from another process:
//!
//! - `lsm/file_receive`, `fentry/security_file_receive` (5.9 for all ways): SCM_RIGHTS, pidfd_getfd, seccomp's ADDFD, whatever the call
//! - `syscalls:sys_exit_{recvmsg,recvmmsg,pidfd_getfd}`: what the control messages name, or the descriptor returned; does not see what
//!   io_uring receives and what seccomp's supervisor puts in, which are found by the look through open descriptors

use core::ffi::c_void;

use aya_ebpf::{
    helpers::{bpf_probe_read_user, generated::bpf_loop},
    macros::{fentry, lsm, tracepoint},
    programs::{FEntryContext, LsmContext, TracePointContext},
};
use claviger_sensor_common::{Counter, OPERATION_RECEIVE, Probe, REQUEST_RECEIVED};

use crate::{
    arguments::{Arguments, number, result},
    copies,
    descriptors::{self, Take},
    file_use::{READ_FIRST, untyped, used},
    fixed_files, labels,
    offsets::agent_pid,
    read::{Probed, Read, Typed},
    report::lose,
    task,
};

/// include/linux/socket.h
const SOL_SOCKET: u32 = 1;
const SCM_RIGHTS: u32 = 1;
/// `struct msghdr`: 56 bytes; where the control messages are, and how long.
const CONTROL_AT: u64 = 32;
const CONTROL_LENGTH_AT: u64 = 40;
/// `struct mmsghdr`: a msghdr, its result, padding.
const MESSAGE_BYTES: u64 = 64;
/// `struct cmsghdr`
const HEADER_BYTES: u64 = 16;
/// One message carries at most 253 descriptors (SCM_MAX_FD).
const DESCRIPTORS_MASK: u32 = 255;
/// Control messages of one message that are looked at: kernel and peer send few.
const CONTROLS_MAX: u32 = 8;

/// Hook 1.
#[lsm(hook = "file_receive")]
pub fn lsm_file_receive(ctx: LsmContext) -> i32 {
    received_with_ring::<Typed>(ctx.arg(0));
    0
}

/// Hook 2.
#[fentry(function = "security_file_receive")]
pub fn fentry_security_file_receive(ctx: FEntryContext) -> i32 {
    received_with_ring::<Typed>(ctx.arg(0));
    0
}

/// Hook 3, for all of the calls.
#[tracepoint]
pub fn sys_exit_receives(ctx: TracePointContext) -> u32 {
    let result = result(&ctx);
    if result < 0 {
        return 0;
    }
    let messages = match number(&ctx) {
        number::PIDFD_GETFD => {
            let file = descriptors::file(result as u32);
            if file.is_null() {
                lose(Probe::FileReceived, Counter::LostDescriptorGone);
                return 0;
            }
            let told = received_by_call(untyped(file));
            taken(told | received_in(fixed_files::ring(file)));
            return 0;
        }
        number::RECVMMSG => result as u32,
        _ => 1,
    };
    let mut messages_at = At {
        first: Arguments::current().second(),
        ring: 0,
        told: 0,
    };
    // SAFETY: the callback takes a number and the pointer given here, which outlives the call.
    unsafe {
        bpf_loop(
            messages,
            message as *const () as *mut c_void,
            (&raw mut messages_at).cast(),
            0,
        );
    }
    // Here, for there may be no more calls within calls below the loops. Of several rings in one call the last; the others are found held.
    taken(messages_at.told as u32 | received_in(messages_at.ring));
    0
}

/// Where messages or descriptors are, the last ring that was found among these, and what was told of all of them.
struct At {
    first: u64,
    ring: u64,
    told: u64,
}

/// A credential that came open counts as read: what is open for writing meanwhile may take it up.
#[inline(always)]
fn taken(told: u32) {
    if told & READ_FIRST != 0 {
        copies::look_at_what_is_open();
    }
}

/// The control messages of a message that was received, as the kernel wrote them a moment ago.
extern "C" fn message(index: u64, messages: *mut At) -> i64 {
    // SAFETY: what the caller keeps on its stack.
    let messages = unsafe { &mut *messages };
    let message = messages.first + index * MESSAGE_BYTES;
    let control: u64 = user(message + CONTROL_AT);
    let length: u64 = user(message + CONTROL_LENGTH_AT);
    if control == 0 && length != 0 {
        // The kernel writes a length where it was given a place only: that was changed since.
        lose(Probe::FileReceived, Counter::LostUnreadable);
        return 0;
    }
    if control == 0 || length < HEADER_BYTES {
        return 0;
    }
    let end = control + length;
    let mut at = control;
    for _ in 0..CONTROLS_MAX {
        if at + HEADER_BYTES > end {
            break;
        }
        let size: u64 = user(at);
        let level: u32 = user(at + 8);
        let kind: u32 = user(at + 12);
        if size < HEADER_BYTES {
            break;
        }
        if level == SOL_SOCKET && kind == SCM_RIGHTS {
            let mut descriptors_at = At {
                first: at + HEADER_BYTES,
                ring: messages.ring,
                told: 0,
            };
            // SAFETY: the callback takes a number and the pointer given here, which outlives the call.
            unsafe {
                bpf_loop(
                    ((size - HEADER_BYTES) / 4) as u32 & DESCRIPTORS_MASK,
                    one_descriptor as *const () as *mut c_void,
                    (&raw mut descriptors_at).cast(),
                    0,
                );
            }
            messages.ring = descriptors_at.ring;
            messages.told |= descriptors_at.told;
        }
        at += (size + 7) & !7;
    }
    0
}

extern "C" fn one_descriptor(index: u64, descriptors: *mut At) -> i64 {
    // SAFETY: what the caller keeps on its stack.
    let descriptors = unsafe { &mut *descriptors };
    let descriptor: u32 = user(descriptors.first + index * 4);
    let file = descriptors::checked_file(descriptor);
    if file.is_null() {
        lose(Probe::FileReceived, Counter::LostDescriptorGone);
        return 0;
    }
    descriptors.told |= u64::from(received_by_call(untyped(file)));
    let ring = fixed_files::ring(file);
    if ring != 0 {
        descriptors.ring = ring;
    }
    0
}

/// As [`received`]. Global, so that the verifier looks at it once, and not for every state of the loops around it.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn received_by_call(file: u64) -> u32 {
    received::<Probed>(file as *const u8)
}

#[inline(always)]
fn user<T: Copy + Default>(address: u64) -> T {
    // SAFETY: the helper copies from any user address and reports a fault instead of taking it.
    unsafe { bpf_probe_read_user(address as *const T) }.unwrap_or_default()
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
        copies::received::<Probed>(file);
        used::<Probed>(Probe::FileReceived, OPERATION_RECEIVE, file)
    }
}
