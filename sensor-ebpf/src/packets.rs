//! Packets of watched sockets: `cgroup_skb/egress` and `ingress` on the topmost cgroup of v2 (4.10). One that is watched no more costs the look whether it is.
//!
//! What is taken of a stream is bounded: of a TLS session its first message, of a request to a proxy what comes first, of a connection to an endpoint the beginning
//! of each packet. Whose packet it is the task that happens to run here does not tell: the socket's opener is told.

use aya_ebpf::{
    bindings::__sk_buff, helpers::generated::bpf_skb_load_bytes, macros::cgroup_skb, programs::SkBuffContext,
};
use claviger_sensor_common::{
    Counter, PACKET_BYTES, PACKET_RECEIVED, PACKET_SENT, PacketRecord, Probe, RECORD_PACKET,
};

use crate::{
    begins::{Begins, begins, begins_quic, is_answer, may_begin_quic},
    packet::{Packet, look},
    report::{lose, submit_packet},
    senders,
    sockets::{
        self, DATAGRAMS, DNS_PORT, DONE, ENDPOINT, HELLO, NEW, PROXIED, PROXY, RECEIVED, RESOLVER, SENT,
        Socket, TCP, UDP,
    },
};

/// What a program here answers: the packet goes on.
const ALLOWED: i32 = 1;

/// Records of one packet: of what is longer the rest is left.
const PARTS_MAX: u32 = 8;

#[cgroup_skb]
pub fn egress(ctx: SkBuffContext) -> i32 {
    // SAFETY: the context of this kind of program.
    unsafe { sent(ctx.skb.skb) };
    ALLOWED
}

#[cgroup_skb]
pub fn ingress(ctx: SkBuffContext) -> i32 {
    // SAFETY: as above.
    unsafe { received(ctx.skb.skb) };
    ALLOWED
}

#[inline(always)]
unsafe fn watched(skb: *mut __sk_buff) -> Option<&'static mut Socket> {
    // SAFETY: the verifier admits a load of this member.
    let socket = unsafe { (*skb).__bindgen_anon_2.sk };
    if socket.is_null() {
        return None;
    }
    // SAFETY: what the context gave, and a value of the map or null.
    unsafe { sockets::of(socket.cast()).as_mut() }
}

#[inline(always)]
unsafe fn sent(skb: *mut __sk_buff) -> Option<()> {
    // SAFETY: of the caller.
    let socket = unsafe { watched(skb) }?;
    let is_over = socket.state == DONE || socket.state == RESOLVER;
    if is_over || (socket.state == DATAGRAMS && !may_begin_quic(skb)) {
        return None;
    }
    let mut packet = Packet::NONE;
    packet.direction = PACKET_SENT;
    if look(skb, &raw mut packet) == 0 {
        return None;
    }
    if packet.transport == UDP {
        match begins_quic(skb, &packet) {
            Begins::Quic => take(skb, socket, &packet, 0, PARTS_MAX),
            Begins::MayYet => {}
            Begins::Nothing => socket.state = DONE,
        }
        return None;
    }
    if socket.known & SENT == 0 {
        socket.known |= SENT;
        socket.first = packet.sequence;
        // Another program, or a packet filter, has it go to an endpoint.
        if socket.state == NEW && packet.peer != socket.facts.directed {
            socket.state = sockets::state_of(&packet.peer, TCP);
        }
    }
    packet.offset = packet.sequence.wrapping_sub(socket.first);
    let skipped = seen_before(socket.next, &packet);
    if skipped >= packet.length {
        return None;
    }
    socket.next = packet.offset.wrapping_add(packet.length);
    if socket.state == NEW {
        let begins = begins(skb, &raw const packet);
        (socket.state, socket.needed) = (begins as u16, (begins >> 32) as u32);
    // To a proxy anything may be sent; what is asked of it begins in a packet of its own.
    } else if socket.state == PROXY && begins(skb, &raw const packet) as u16 != PROXY {
        return None;
    }
    if socket.state != DONE {
        take(skb, socket, &packet, skipped, PARTS_MAX);
    }
    if (socket.state == HELLO || socket.state == PROXIED) && socket.next >= socket.needed {
        socket.state = DONE;
    }
    None
}

#[inline(always)]
unsafe fn received(skb: *mut __sk_buff) -> Option<()> {
    // SAFETY: of the caller.
    let socket = unsafe { watched(skb) }?;
    if socket.state != ENDPOINT && socket.state != RESOLVER && socket.state != PROXY {
        return None;
    }
    let mut packet = Packet::NONE;
    packet.direction = PACKET_RECEIVED;
    if look(skb, &raw mut packet) == 0 {
        return None;
    }
    if packet.transport == UDP {
        if socket.state == RESOLVER && packet.source_port == DNS_PORT {
            take(skb, socket, &packet, 0, PARTS_MAX);
        }
        return None;
    }
    if socket.known & RECEIVED == 0 {
        socket.known |= RECEIVED;
        socket.first_received = packet.sequence;
    }
    packet.offset = packet.sequence.wrapping_sub(socket.first_received);
    let skipped = seen_before(socket.needed, &packet);
    if skipped < packet.length {
        socket.needed = packet.offset.wrapping_add(packet.length);
        // An answer begins in a packet of its own; what is answered is not looked at.
        if socket.state == ENDPOINT || is_answer(skb, packet.payload) {
            take(skb, socket, &packet, skipped, 1);
        }
    }
    None
}

/// How many bytes of a packet were seen before: it was sent once more. Where some are missing before it, they are not to be had.
#[inline(always)]
fn seen_before(next: u32, packet: &Packet) -> u32 {
    let seen = next.wrapping_sub(packet.offset) as i32;
    if seen > 0 { seen as u32 } else { 0 }
}

/// Tells what is behind the first `skipped` bytes, in as many records as it takes.
#[inline(always)]
fn take(skb: *mut __sk_buff, socket: &Socket, packet: &Packet, skipped: u32, parts: u32) {
    let mut at = skipped;
    for number in 0..PARTS_MAX {
        if at >= packet.length || number >= parts {
            break;
        }
        part(skb, socket, packet, at);
        at += PACKET_BYTES as u32;
    }
    if at < packet.length && socket.state != ENDPOINT && socket.state != PROXY {
        lose(Probe::Network, Counter::LostUnreadable);
    }
}

/// Tells a part of a packet, from these bytes of it on. Global, for the same reason.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn part(skb: *mut __sk_buff, socket: *const Socket, packet: *const Packet, at: u32) -> u32 {
    if socket.is_null() || packet.is_null() {
        return 0;
    }
    // SAFETY: what the caller gave, which is not null.
    let (socket, packet) = unsafe { (&*socket, &*packet) };
    if at >= packet.length {
        return 0;
    }
    let left = packet.length - at;
    let length = if left > PACKET_BYTES as u32 {
        PACKET_BYTES as u32
    } else {
        left
    };
    submit_packet::<PacketRecord>(Probe::Network as u32, RECORD_PACKET, |record| {
        // SAFETY: `record` is a reservation of this size.
        let record = unsafe { &mut *record };
        socket.copy_owner(&raw mut record.task);
        record.peer.address = packet.peer.address;
        record.peer.port = packet.peer.port;
        record.direction = packet.direction;
        record.offset = packet.offset.wrapping_add(at);
        record.length = length;
        record.left = left - length;
        // The pointer leads to behind it (RFC 9293, 3.8.5, as Linux has it).
        record.urgent = if packet.urgent > at && packet.urgent - at <= length {
            packet.urgent - at
        } else {
            0
        };
        record.reserved = 0;
        record.sender_is_known = u32::from(socket.sender != 0);
        // SAFETY: the verifier admits a load of this member.
        let sock = unsafe { (*skb).__bindgen_anon_2.sk };
        if !sock.is_null() {
            // SAFETY: it is not null.
            unsafe { senders::copy(sock.cast(), socket, &raw mut record.task) };
        }
        // The verifier has to see both bounds, which the compiler knows, and would leave out.
        // SAFETY: a variable of this function.
        let length = unsafe { (&raw const length).read_volatile() };
        let length = (length.wrapping_sub(1) & (PACKET_BYTES as u32 - 1)) + 1;
        // SAFETY: the helper writes so many bytes, or reports a fault.
        unsafe {
            bpf_skb_load_bytes(
                skb.cast(),
                packet.payload + at,
                record.bytes.as_mut_ptr().cast(),
                length,
            ) == 0
        }
    }) as u32
}
