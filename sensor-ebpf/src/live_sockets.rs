//! Sockets that were connected before anybody watched (`iter/task_file`, with `bpf_sock_from_file`, 5.11): those that lead to endpoints of the catalogue, or to a
//! resolver, are watched from then on. It runs in the agent's own thread, when the agent reads from the iterator.
//!
//! Who opened such a socket is not known any more: it is taken for that of the first process that has it open.

use aya_ebpf::helpers::generated::{bpf_get_socket_cookie, bpf_sock_from_file};
use claviger_sensor_common::{Destination, MISSING};

use crate::{
    numbers::untyped,
    offsets::{agent_pid, offset},
    read::{Probed, Read, Typed, pointer},
    sockets::{self, AF_INET, AF_INET6, ENDPOINT, RESOLVER, mapped},
    task,
};

/// `struct bpf_iter__task_file`
#[repr(C)]
struct OpenFile {
    meta: u64,
    task: *const u8,
    descriptor: u32,
    padding: u32,
    file: *const u8,
}

/// Each open descriptor of each process.
#[unsafe(no_mangle)]
#[unsafe(link_section = "iter/task_file")]
extern "C" fn live_sockets(context: *const OpenFile) -> i32 {
    // SAFETY: the verifier knows the context of the iterator, and admits these loads from it.
    let (task, file) = unsafe {
        (
            (&raw const (*context).task).read_volatile(),
            (&raw const (*context).file).read_volatile(),
        )
    };
    // The last call has neither.
    if task.is_null() || file.is_null() || Typed::read::<u32>(task, offset!(task_tgid)) == agent_pid() {
        return 0;
    }
    // SAFETY: the helper takes a file whose type the verifier knows.
    let socket = unsafe { bpf_sock_from_file(file.cast_mut().cast()) } as *const u8;
    if socket.is_null() {
        return 0;
    }
    let sock = pointer::<Typed>(socket, offset!(socket_sock));
    if !sock.is_null() {
        connected(task, sock);
    }
    0
}

#[inline(always)]
fn connected(task: *const u8, sock: *const u8) {
    let transport = u32::from(Probed::read::<u16>(sock, offset!(sock_protocol)));
    let address = match Probed::read::<u16>(sock, offset!(socket_family)) {
        AF_INET => mapped(Probed::read(sock, offset!(sock_destination))),
        AF_INET6 if offset!(sock_destination6) != MISSING => Probed::read(sock, offset!(sock_destination6)),
        _ => return,
    };
    let destination = Destination {
        address,
        port: u32::from(u16::from_be(Probed::read(sock, offset!(sock_destination_port)))),
    };
    let state = sockets::state_of(&destination, transport);
    // What began before is not seen any more.
    if destination.port == 0 || (state != ENDPOINT && state != RESOLVER) {
        return;
    }
    // SAFETY: a socket whose type the verifier knows, which is not null.
    let Some(socket) = (unsafe { sockets::make(sock.cast_mut().cast()).as_mut() }) else {
        return;
    };
    if socket.task.pid != 0 {
        return;
    }
    socket.facts.asked = destination;
    socket.facts.directed = destination;
    socket.facts.transport = transport;
    socket.state = state;
    // SAFETY: the same socket.
    socket.facts.cookie = unsafe { bpf_get_socket_cookie(sock.cast_mut().cast()) };
    task::snapshot_of_another(untyped(task), &raw mut socket.task);
}
