//! Sockets that are watched: what the process asked for, who it was, and how far its stream was looked at. Kept by the kernel with the socket, and gone with it.
//!
//! A socket is taken down where its process says where it is to go: `cgroup/connect4`, `connect6`, and for each datagram of one that is not connected
//! `cgroup/sendmsg4`, `sendmsg6` (4.18), on the topmost cgroup of v2. That is before the kernel's packet filters. Other programs on the same hooks may have
//! rewritten the address before, those of cgroups below always: so what the process gave is read from the memory that its system call names. The process may have changed
//! that since; so both addresses are known, and either makes a connection one to an endpoint.

use aya_ebpf::{
    bindings::{BPF_SK_STORAGE_GET_F_CREATE, bpf_sock_addr},
    btf_maps::SkStorage,
    helpers::{
        bpf_probe_read_user,
        generated::{bpf_get_socket_cookie, bpf_probe_read_kernel, bpf_sk_storage_get},
    },
    macros::{btf_map, cgroup_sock_addr, map},
    maps::HashMap,
    programs::SockAddrContext,
};
use claviger_sensor_common::{
    ConnectRecord, Destination, ENDPOINTS_MAX, Probe, RECORD_CONNECT, REQUEST_CONNECT, SocketFacts,
    TaskSnapshot,
};

use crate::{
    arguments::{Arguments, call_number},
    labels,
    offsets::{agent_pid, offset},
    read::{Read, Typed},
    report::submit,
    task,
};

/// What a program here answers: it goes on as the kernel has it.
const ALLOWED: i32 = 1;

/// include/linux/socket.h
pub const AF_INET: u16 = 2;
pub const AF_INET6: u16 = 10;

/// IANA protocol numbers.
pub const TCP: u32 = 6;
pub const UDP: u32 = 17;

pub const DNS_PORT: u32 = 53;

/// Nothing of it was sent yet.
pub const NEW: u16 = 0;
/// Nothing more is to be learned.
pub const DONE: u16 = 1;
/// It begins as a TLS session does, and is taken until the ClientHello is complete.
pub const HELLO: u16 = 2;
/// It begins as a request to a proxy does; as many bytes as [`Socket::needed`] are taken.
pub const PROXIED: u16 = 3;
/// It leads to an endpoint of the catalogue: the beginning of each packet is taken, both ways.
pub const ENDPOINT: u16 = 4;
/// It leads to a resolver: answers are taken.
pub const RESOLVER: u16 = 5;
/// It leads to a proxy that is asked in clear: the beginnings of packets that begin a request, or an answer, are taken.
pub const PROXY: u16 = 7;
/// Datagrams that may begin a QUIC connection are taken.
pub const DATAGRAMS: u16 = 6;

/// What the kernel keeps with a socket.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Socket {
    /// Who asked.
    pub task: TaskSnapshot,
    /// Behind it, as in records.
    pub facts: SocketFacts,
    /// [`NEW`] and what follows.
    pub state: u16,
    /// [`SENT`] once [`Socket::first`] is known, and [`RECEIVED`] once [`Socket::first_received`] is.
    pub known: u16,
    /// Of TCP: the sequence number of the first byte that was sent.
    pub first: u32,
    /// How many bytes were looked at from there.
    pub next: u32,
    /// How many are to be taken; of an endpoint, how many bytes of what came in were looked at.
    pub needed: u32,
    /// As [`Socket::first`], of what came in.
    pub first_received: u32,
    /// The process that sent last; 0 where that is not seen.
    pub sender: u32,
}

/// What the kernel has before a value, of its allocation of 512 bytes (`struct bpf_local_storage_elem`): with one byte more it takes 1,024.
const STORAGE_BYTES: usize = 72;
const _: () = assert!(size_of::<Socket>() + STORAGE_BYTES <= 512);

/// Bits of [`Socket::known`].
pub const SENT: u16 = 1;
pub const RECEIVED: u16 = 2;

/// Who asked, and for what: a helper copies both at once. Copied by instructions, the verifier would go through each byte.
const OWNER_BYTES: u32 = (size_of::<TaskSnapshot>() + size_of::<SocketFacts>()) as u32;

impl Socket {
    /// Writes who asked, and for what, to the member of a record that takes who, and to the one behind.
    #[inline(always)]
    pub fn copy_owner(&self, to: *mut TaskSnapshot) {
        // SAFETY: the helper copies from any address and reports a fault instead of taking it; `to` points into a reservation of the ring in which both lie.
        let _read = unsafe { bpf_probe_read_kernel(to.cast(), OWNER_BYTES, (&raw const self.task).cast()) };
    }
}

#[btf_map]
static SOCKETS: SkStorage<Socket> = SkStorage::new();

/// Where endpoints of the catalogue are.
#[map]
static ENDPOINTS: HashMap<Destination, u32> = HashMap::with_max_entries(ENDPOINTS_MAX, 0);

/// What is kept with a socket of a context; null where nothing is.
///
/// # Safety
/// `socket` is what a context gave, or null.
#[inline(always)]
pub unsafe fn of(socket: *mut core::ffi::c_void) -> *mut Socket {
    // SAFETY: of the caller.
    unsafe { get_in(&SOCKETS, socket) }
}

/// The same, made where there is none: all zeros, which is a value of it.
///
/// # Safety
/// As of [`of`].
#[inline(always)]
pub unsafe fn make(socket: *mut core::ffi::c_void) -> *mut Socket {
    // SAFETY: of the caller.
    unsafe { make_in(&SOCKETS, socket) }
}

/// What is kept with a socket in a map; null where nothing is.
///
/// # Safety
/// As of [`of`].
#[inline(always)]
pub unsafe fn get_in<T>(map: &'static SkStorage<T>, socket: *mut core::ffi::c_void) -> *mut T {
    // SAFETY: the verifier admits what a context gave, once it was compared with null.
    unsafe {
        bpf_sk_storage_get(
            (&raw const *map).cast_mut().cast(),
            socket,
            core::ptr::null_mut(),
            0,
        )
    }
    .cast()
}

/// The same, made where there is none.
///
/// # Safety
/// As of [`of`].
#[inline(always)]
pub unsafe fn make_in<T>(map: &'static SkStorage<T>, socket: *mut core::ffi::c_void) -> *mut T {
    let create = u64::from(BPF_SK_STORAGE_GET_F_CREATE);
    // SAFETY: as above.
    unsafe {
        bpf_sk_storage_get(
            (&raw const *map).cast_mut().cast(),
            socket,
            core::ptr::null_mut(),
            create,
        )
    }
    .cast()
}

#[cgroup_sock_addr(connect4)]
pub fn connect4(ctx: SockAddrContext) -> i32 {
    let destination = destination4(&ctx);
    asked(&ctx, &destination);
    ALLOWED
}

#[cgroup_sock_addr(connect6)]
pub fn connect6(ctx: SockAddrContext) -> i32 {
    let destination = destination6(&ctx);
    asked(&ctx, &destination);
    ALLOWED
}

#[cgroup_sock_addr(sendmsg4)]
pub fn sendmsg4(ctx: SockAddrContext) -> i32 {
    let destination = destination4(&ctx);
    sends(&ctx, &destination);
    ALLOWED
}

#[cgroup_sock_addr(sendmsg6)]
pub fn sendmsg6(ctx: SockAddrContext) -> i32 {
    let destination = destination6(&ctx);
    sends(&ctx, &destination);
    ALLOWED
}

/// The address of IPv4 as IPv4-mapped IPv6.
#[inline(always)]
pub fn mapped(address: u32) -> [u8; 16] {
    let [a, b, c, d] = address.to_ne_bytes();
    [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, a, b, c, d]
}

#[inline(always)]
fn destination4(ctx: &SockAddrContext) -> Destination {
    // SAFETY: the context of this kind of program; the verifier admits loads of these members.
    let (address, port) = unsafe { ((*ctx.sock_addr).user_ip4, (*ctx.sock_addr).user_port) };
    Destination {
        address: mapped(address),
        port: u32::from(u16::from_be(port as u16)),
    }
}

#[inline(always)]
fn destination6(ctx: &SockAddrContext) -> Destination {
    let from: *const bpf_sock_addr = ctx.sock_addr;
    let mut address = [0u8; 16];
    // SAFETY: as above; four bytes at a time is what it admits.
    let port = unsafe {
        for at in 0..4 {
            let word = (&raw const (*from).user_ip6[at]).read_volatile();
            address[4 * at..4 * at + 4].copy_from_slice(&word.to_ne_bytes());
        }
        (*from).user_port
    };
    Destination {
        address,
        port: u32::from(u16::from_be(port as u16)),
    }
}

#[inline(always)]
fn is_own() -> bool {
    Typed::read::<u32>(task::current(), offset!(task_tgid)) == agent_pid()
}

/// A connection is asked for.
#[inline(always)]
fn asked(ctx: &SockAddrContext, destination: &Destination) {
    // SAFETY: as above.
    let transport = unsafe { (*ctx.sock_addr).protocol };
    if transport != TCP && transport != UDP {
        return;
    }
    if is_own() {
        return labels::answer_seen(REQUEST_CONNECT);
    }
    let Some(socket) = take(ctx, destination, transport) else {
        return;
    };
    if socket.state == ENDPOINT {
        submit::<ConnectRecord>(Probe::Network as u32, RECORD_CONNECT, |record| {
            // SAFETY: `record` is a reservation of this size.
            let record = unsafe { &mut *record };
            socket.copy_owner(&raw mut record.task);
            true
        });
    }
}

/// A datagram is sent from a socket that is not connected.
#[inline(always)]
fn sends(ctx: &SockAddrContext, destination: &Destination) {
    if is_own() {
        return;
    }
    // SAFETY: as above.
    let socket = unsafe { of((*ctx.sock_addr).__bindgen_anon_1.sk.cast()) };
    // SAFETY: a value of the map, or null.
    if let Some(socket) = unsafe { socket.as_mut() }
        && socket.facts.directed == *destination
        && socket.task.pid == Typed::read::<u32>(task::current(), offset!(task_tgid))
    {
        return;
    }
    take(ctx, destination, UDP);
}

/// Takes down a socket, or what it is to do now.
#[inline(always)]
fn take<'a>(ctx: &SockAddrContext, destination: &Destination, transport: u32) -> Option<&'a mut Socket> {
    // SAFETY: as above.
    let socket = unsafe { make((*ctx.sock_addr).__bindgen_anon_1.sk.cast()) };
    // SAFETY: a value of the map, or null.
    let socket = unsafe { socket.as_mut() }?;
    // SAFETY: the helper takes the context of this kind of program.
    socket.facts.cookie = unsafe { bpf_get_socket_cookie(ctx.sock_addr.cast()) };
    socket.facts.directed = *destination;
    socket.facts.asked = given(destination);
    socket.facts.transport = transport;
    socket.known = 0;
    socket.next = 0;
    socket.needed = 0;
    socket.sender = 0;
    socket.state = state_of(&socket.facts.asked, transport);
    if socket.state != ENDPOINT && socket.facts.asked != *destination {
        socket.state = state_of(destination, transport);
    }
    task::snapshot(&raw mut socket.task);
    Some(socket)
}

/// Where the process has asked to go, by its system call. Where that names no address, or is another one (io_uring's), what is seen here is taken for it.
#[inline(always)]
fn given(seen: &Destination) -> Destination {
    const CONNECT: u32 = 42;
    const SENDTO: u32 = 44;
    let address = match call_number() {
        CONNECT => Arguments::current().second(),
        SENDTO => Arguments::current().fifth(),
        _ => return *seen,
    };
    let mut destination = *seen;
    // SAFETY: the helper copies from any user address and reports a fault instead of taking it.
    let head = unsafe { bpf_probe_read_user(address as *const [u16; 4]) };
    let Ok([family, port, high, low]) = head else {
        return *seen;
    };
    destination.port = u32::from(u16::from_be(port));
    destination.address = match family {
        AF_INET => mapped(u32::from(high) | u32::from(low) << 16),
        // SAFETY: as above.
        AF_INET6 => match unsafe { bpf_probe_read_user((address + 8) as *const [u8; 16]) } {
            Ok(address) => address,
            Err(_) => return *seen,
        },
        _ => return *seen,
    };
    destination
}

/// What is to be learned of a socket that leads there.
#[inline(always)]
pub fn state_of(destination: &Destination, transport: u32) -> u16 {
    // SAFETY: the value is not looked at.
    let is_endpoint = || unsafe { ENDPOINTS.get(destination) }.is_some();
    match transport {
        UDP if destination.port == DNS_PORT => RESOLVER,
        UDP => DATAGRAMS,
        TCP if is_endpoint() => ENDPOINT,
        TCP => NEW,
        _ => DONE,
    }
}
