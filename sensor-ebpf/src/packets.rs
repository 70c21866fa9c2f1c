//! Packets of watched sockets: `cgroup_skb/egress` and `ingress` on the topmost cgroup of v2 (4.10). One that is watched no more costs the look whether it is.
//!
//! What is taken of a stream is bounded: of a TLS session its first message, of a request to a proxy what comes first, of a connection to an endpoint the beginning
//! of each packet. Whose packet it is the task that happens to run here does not tell: the socket's opener is told.

use aya_ebpf::{
    bindings::__sk_buff, helpers::generated::bpf_skb_load_bytes, macros::cgroup_skb, programs::SkBuffContext,
};
use claviger_sensor_common::{
    Counter, Destination, PACKET_BYTES, PACKET_RECEIVED, PACKET_SENT, PacketRecord, Probe, RECORD_PACKET,
};

use crate::{
    report::{lose, submit_packet},
    senders,
    sockets::{
        self, DNS_PORT, DONE, ENDPOINT, HELLO, NEW, PROXIED, PROXY, RECEIVED, RESOLVER, SENT, Socket, TCP,
        UDP, mapped,
    },
};

/// What a program here answers: the packet goes on.
const ALLOWED: i32 = 1;

/// Records of one packet: of what is longer the rest is left.
const PARTS_MAX: u32 = 8;
/// Extension headers of IPv6 that are passed over: as many as a sender may put before TCP, each once, and one more of options.
const EXTENSIONS_MAX: u32 = 4;
/// What is taken of a stream that begins as a request to a proxy does: the request, and a ClientHello behind it.
const PROXIED_BYTES: u32 = 8_192;
/// What is taken of a TLS session whose first message does not say how long it is in its first packet.
const HELLO_BYTES: u32 = 16_640;
/// A handshake message, and the records that it comes in where they are split.
const HELLO_BYTES_MAX: u32 = 33_000;

/// Bits of TCP's header (RFC 9293, 3.1).
const SYN: u8 = 2;
const URG: u8 = 0x20;

/// A packet as far as it was looked at.
#[repr(C)]
struct Packet {
    /// Bytes of its stream before it, as far as they were seen.
    offset: u32,
    /// `PACKET_SENT` or `PACKET_RECEIVED`.
    direction: u32,
    transport: u32,
    /// Where the payload begins.
    payload: u32,
    /// How long it is.
    length: u32,
    /// Of TCP: the sequence number of its first byte.
    sequence: u32,
    source_port: u32,
    /// Of TCP: which byte of the payload is urgent, from 1 on; 0 where none is.
    urgent: u32,
    /// The other end.
    peer: Destination,
}

impl Packet {
    const NONE: Self = Self {
        offset: 0,
        direction: 0,
        transport: 0,
        payload: 0,
        length: 0,
        sequence: 0,
        source_port: 0,
        urgent: 0,
        peer: Destination {
            address: [0; 16],
            port: 0,
        },
    };
}

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
    if socket.state == DONE || socket.state == RESOLVER {
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

/// Whether a packet begins as an answer of HTTP/1 does.
#[inline(always)]
fn is_answer(skb: *mut __sk_buff, payload: u32) -> bool {
    let mut head = [0u8; 4];
    load(skb, payload, &mut head) && head == *b"HTTP"
}

/// How many bytes of a packet were seen before: it was sent once more. Where some are missing before it, they are not to be had.
#[inline(always)]
fn seen_before(next: u32, packet: &Packet) -> u32 {
    let seen = next.wrapping_sub(packet.offset) as i32;
    if seen > 0 { seen as u32 } else { 0 }
}

/// What a stream begins as, and above it how many bytes of it are to be taken. Global, so that the verifier looks at it once.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn begins(skb: *mut __sk_buff, packet: *const Packet) -> u64 {
    if packet.is_null() {
        return u64::from(DONE);
    }
    // SAFETY: what the caller gave, which is not null.
    let (state, needed) = begins_as(skb, unsafe { &*packet });
    u64::from(state) | u64::from(needed) << 32
}

#[inline(always)]
fn begins_as(ctx: *mut __sk_buff, packet: &Packet) -> (u16, u32) {
    let mut head = [0u8; 16];
    let is_whole = packet.length >= head.len() as u32;
    let read = if is_whole {
        load(ctx, packet.payload, &mut head)
    } else {
        // One byte tells what it may become.
        let mut first = [0u8; 1];
        let read = load(ctx, packet.payload, &mut first);
        head[0] = first[0];
        read
    };
    if !read {
        return (DONE, 0);
    }
    match head[0] {
        // RFC 8446, 5.1 and 4: a record of a handshake, and a ClientHello in it.
        0x16 if !is_whole => (HELLO, HELLO_BYTES),
        // One without content comes before it.
        0x16 if head[1] == 3 && head[3] == 0 && head[4] == 0 => (HELLO, HELLO_BYTES),
        0x16 if head[1] == 3 && head[5] == 1 => {
            let record = u32::from(head[3]) << 8 | u32::from(head[4]);
            let message = 4 + (u32::from(head[6]) << 16 | u32::from(head[7]) << 8 | u32::from(head[8]));
            // Split over several records, each of which takes five bytes more, it is at most so long where none is empty.
            let all = if record >= message {
                message + 5
            } else {
                message * 6
            };
            (
                HELLO,
                if all > HELLO_BYTES_MAX {
                    HELLO_BYTES_MAX
                } else {
                    all
                },
            )
        }
        b'C' | b'D' | b'G' | b'H' | b'O' | b'P' if !is_whole => (PROXIED, PROXIED_BYTES),
        b'C' if head.starts_with(b"CONNECT ") => (PROXIED, PROXIED_BYTES),
        b'D' if head.starts_with(b"DELETE ") && is_scheme(head[7]) => (PROXY, 0),
        b'G' if head.starts_with(b"GET ") && is_scheme(head[4]) => (PROXY, 0),
        b'H' if head.starts_with(b"HEAD ") && is_scheme(head[5]) => (PROXY, 0),
        b'O' if head.starts_with(b"OPTIONS ") && is_scheme(head[8]) => (PROXY, 0),
        b'P' if (head.starts_with(b"PUT ") && is_scheme(head[4]))
            || (head.starts_with(b"POST ") && is_scheme(head[5]))
            || (head.starts_with(b"PATCH ") && is_scheme(head[6])) =>
        {
            (PROXY, 0)
        }
        _ => (DONE, 0),
    }
}

/// Whether a target may begin so that says by which scheme it is to be asked for, as one for a proxy does: `http`, in letters of either case.
#[inline(always)]
const fn is_scheme(first: u8) -> bool {
    first | 0x20 == b'h'
}

/// What a datagram tells of those behind it.
enum Begins {
    /// It is of a QUIC handshake, or may be: a long header (RFC 9000, 17.2) of version 1, or of 2 (RFC 9369, 3.2). An Initial may stand behind another one in it.
    Quic,
    /// One that comes before, between or behind these: on one socket another connection may begin.
    MayYet,
    /// It is something else.
    Nothing,
}

#[inline(always)]
fn begins_quic(ctx: *mut __sk_buff, packet: &Packet) -> Begins {
    let mut head = [0u8; 5];
    if packet.length < head.len() as u32 || !load(ctx, packet.payload, &mut head) {
        return Begins::MayYet;
    }
    // The types behind the form and the fixed bit; a Retry is the server's.
    let retry = match u32::from_be_bytes([head[1], head[2], head[3], head[4]]) {
        1 => 0xf0,
        0x6b33_43cf => 0xc0,
        _ if head[0] & 0xc0 == 0x80 => return Begins::Nothing,
        _ => return Begins::MayYet,
    };
    if head[0] & 0xc0 == 0xc0 && head[0] & 0xf0 != retry {
        Begins::Quic
    } else {
        Begins::MayYet
    }
}

#[inline(always)]
fn load<const N: usize>(skb: *mut __sk_buff, at: u32, to: &mut [u8; N]) -> bool {
    // SAFETY: the helper writes so many bytes, or reports a fault.
    unsafe { bpf_skb_load_bytes(skb.cast(), at, to.as_mut_ptr().cast(), N as u32) == 0 }
}

/// The same of what nearly every packet is, by loads from the packet itself: TCP over IPv4 without options. Nothing of others.
#[inline(always)]
fn look_directly(skb: *mut __sk_buff, packet: &mut Packet, is_sent: bool) -> Option<u32> {
    /// RFC 791, 3.1, and RFC 9293, 3.1: both headers without options.
    const HEADERS: usize = 40;
    // SAFETY: the context of this kind of program; the verifier admits loads of these members.
    let (data, end, all) = unsafe { ((*skb).data as usize, (*skb).data_end as usize, (*skb).len) };
    if data + HEADERS > end {
        return None;
    }
    // SAFETY: so many bytes are there, which the verifier has seen.
    let header = unsafe { &*(data as *const [u8; HEADERS]) };
    if header[0] != 0x45 || header[9] != TCP as u8 {
        return None;
    }
    let payload = 20 + u32::from(header[32] >> 4) * 4;
    packet.length = all.saturating_sub(payload);
    if packet.length == 0 {
        return Some(0);
    }
    packet.payload = payload;
    packet.transport = TCP;
    let word = |at: usize| [header[at], header[at + 1], header[at + 2], header[at + 3]];
    let port = |at: usize| u32::from(u16::from_be_bytes([header[at], header[at + 1]]));
    let address = if is_sent { word(16) } else { word(12) };
    packet.peer.address = mapped(u32::from_ne_bytes(address));
    packet.source_port = port(20);
    packet.peer.port = if is_sent { port(22) } else { packet.source_port };
    // What comes with the first packet of a connection stands behind its number.
    packet.sequence = u32::from_be_bytes(word(24)).wrapping_add(u32::from(header[33] & SYN != 0));
    packet.urgent = if header[33] & URG != 0 { port(38) } else { 0 };
    Some(packet.length)
}

/// Reads the headers; 0 where there is no payload. Global, for the same reason.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn look(skb: *mut __sk_buff, packet: *mut Packet) -> u32 {
    if packet.is_null() {
        return 0;
    }
    // SAFETY: what the caller gave, which is not null.
    let packet = unsafe { &mut *packet };
    let is_sent = packet.direction == PACKET_SENT;
    if let Some(length) = look_directly(skb, packet, is_sent) {
        return length;
    }
    let mut first = [0u8; 1];
    if !load(skb, 0, &mut first) {
        return 0;
    }
    let headers = match first[0] >> 4 {
        4 => {
            let mut header = [0u8; 20];
            if !load(skb, 0, &mut header) {
                return 0;
            }
            packet.transport = u32::from(header[9]);
            let at = if is_sent { 16 } else { 12 };
            let address = [header[at], header[at + 1], header[at + 2], header[at + 3]];
            packet.peer.address = mapped(u32::from_ne_bytes(address));
            u32::from(header[0] & 15) * 4
        }
        6 => {
            let mut next = [0u8; 1];
            let at = if is_sent { 24 } else { 8 };
            if !load(skb, 6, &mut next) || !load(skb, at, &mut packet.peer.address) {
                return 0;
            }
            let mut at = 40;
            for _ in 0..EXTENSIONS_MAX {
                // RFC 8200, 4: hop-by-hop options, routing, destination options.
                if !matches!(next[0], 0 | 43 | 60) {
                    break;
                }
                let mut extension = [0u8; 2];
                if !load(skb, at, &mut extension) {
                    return 0;
                }
                next[0] = extension[0];
                at += 8 + u32::from(extension[1]) * 8;
            }
            packet.transport = u32::from(next[0]);
            at
        }
        _ => return 0,
    };
    let mut ports = [0u8; 4];
    if !load(skb, headers, &mut ports) {
        return 0;
    }
    let (source, destination) = (
        u32::from(u16::from_be_bytes([ports[0], ports[1]])),
        u32::from(u16::from_be_bytes([ports[2], ports[3]])),
    );
    packet.source_port = source;
    packet.peer.port = if is_sent { destination } else { source };
    packet.payload = match packet.transport {
        TCP => {
            let mut header = [0u8; 10];
            if !load(skb, headers + 4, &mut header) {
                return 0;
            }
            let sequence = u32::from_be_bytes([header[0], header[1], header[2], header[3]]);
            // What comes with the first packet of a connection stands behind its number.
            packet.sequence = sequence.wrapping_add(u32::from(header[9] & SYN != 0));
            let mut urgent = [0u8; 2];
            if header[9] & URG != 0 && load(skb, headers + 18, &mut urgent) {
                packet.urgent = u32::from(u16::from_be_bytes(urgent));
            }
            headers + u32::from(header[8] >> 4) * 4
        }
        UDP => headers + 8,
        _ => return 0,
    };
    // SAFETY: the context of this kind of program; the verifier admits a load of this member.
    let all = unsafe { (*skb).len };
    packet.length = all.saturating_sub(packet.payload);
    packet.length
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
