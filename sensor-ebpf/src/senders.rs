//! Who sends on a socket that another process has opened: `fentry/security_socket_sendmsg`, which every way to send comes through. Only where a socket is watched, and only as
//! long as something is to be learned of it, and once for each time that somebody else sends.

use aya_ebpf::{
    btf_maps::SkStorage,
    helpers::generated::bpf_probe_read_kernel,
    macros::{btf_map, fentry},
    programs::FEntryContext,
};
use claviger_sensor_common::TaskSnapshot;

use crate::{
    offsets::offset,
    read::{Read, Typed, pointer},
    sockets::{self, DONE, RESOLVER, Socket},
    task,
};

/// Who sent last, where it was not who opened the socket.
#[btf_map]
static SENDERS: SkStorage<TaskSnapshot> = SkStorage::new();

/// `security_socket_sendmsg(socket, message, size)`
#[fentry(function = "security_socket_sendmsg")]
pub fn fentry_security_socket_sendmsg(ctx: FEntryContext) -> i32 {
    let socket: *const u8 = ctx.arg(0);
    let sock = pointer::<Typed>(socket, offset!(socket_sock));
    if !sock.is_null() {
        sends(sock);
    }
    0
}

#[inline(always)]
fn sends(sock: *const u8) {
    // SAFETY: a socket whose type the verifier knows, which is not null; a value of the map, or null.
    let Some(socket) = (unsafe { sockets::of(sock.cast_mut().cast()).as_mut() }) else {
        return;
    };
    let pid = Typed::read::<u32>(task::current(), offset!(task_tgid));
    if socket.state == DONE || socket.state == RESOLVER || socket.sender == pid {
        return;
    }
    if pid != socket.task.pid {
        // SAFETY: as above.
        let sender = unsafe { sockets::make_in(&SENDERS, sock.cast_mut().cast()) };
        if sender.is_null() {
            return;
        }
        task::snapshot(sender);
    }
    socket.sender = pid;
}

/// Writes who sent last to the member of a record that takes who, where that was another than who opened the socket. Whether it was, and is known.
///
/// # Safety
/// `sock` is what a context gave, and not null.
#[inline(always)]
pub unsafe fn copy(sock: *mut core::ffi::c_void, socket: &Socket, to: *mut TaskSnapshot) {
    if socket.sender == 0 || socket.sender == socket.task.pid {
        return;
    }
    // SAFETY: of the caller.
    let sender = unsafe { sockets::get_in(&SENDERS, sock) };
    if !sender.is_null() {
        // SAFETY: the helper copies from any address and reports a fault instead of taking it; `to` points into a reservation of the ring.
        let _read =
            unsafe { bpf_probe_read_kernel(to.cast(), size_of::<TaskSnapshot>() as u32, sender.cast()) };
    }
}
