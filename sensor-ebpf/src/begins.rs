//! What is said on a connection, by what it begins with: a TLS session, a request to a proxy, a QUIC connection, or nothing that is taken.

use aya_ebpf::bindings::__sk_buff;

use crate::{
    packet::{Packet, load},
    sockets::{DONE, HELLO, PROXIED, PROXY, UDP},
};

/// What is taken of a stream that begins as a request to a proxy does: the request, and a ClientHello behind it.
const PROXIED_BYTES: u32 = 8_192;
/// What is taken of a TLS session whose first message does not say how long it is in its first packet.
const HELLO_BYTES: u32 = 16_640;
/// A handshake message, and the records that it comes in where they are split.
const HELLO_BYTES_MAX: u32 = 33_000;

/// Whether a packet begins as an answer of HTTP/1 does.
#[inline(always)]
pub fn is_answer(skb: *mut __sk_buff, payload: u32) -> bool {
    let mut head = [0u8; 4];
    load(skb, payload, &mut head) && head == *b"HTTP"
}

/// What a stream begins as, and above it how many bytes of it are to be taken. Global, so that the verifier looks at it once.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn begins(skb: *mut __sk_buff, packet: *const Packet) -> u64 {
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
pub enum Begins {
    /// It is of a QUIC handshake, or may be: a long header (RFC 9000, 17.2) of version 1, or of 2 (RFC 9369, 3.2). An Initial may stand behind another one in it.
    Quic,
    /// One that comes before, between or behind these: on one socket another connection may begin.
    MayYet,
    /// It is something else.
    Nothing,
}

/// Whether a datagram may have a long header, by one byte of the packet itself: as good as none has, once a connection is made.
#[inline(always)]
pub fn may_begin_quic(skb: *mut __sk_buff) -> bool {
    /// RFC 791, 3.1, and RFC 8200, 3: headers without options, and UDP's behind them (RFC 768).
    const BEHIND_4: usize = 20 + 8;
    const BEHIND_6: usize = 40 + 8;
    const LONG: u8 = 0x80;
    // SAFETY: the context of this kind of program; the verifier admits loads of these members.
    let (data, end) = unsafe { ((*skb).data as usize, (*skb).data_end as usize) };
    if data + BEHIND_4 + 1 > end {
        return true;
    }
    // SAFETY: so many bytes are there, which the verifier has seen.
    let packet = unsafe { &*(data as *const [u8; BEHIND_4 + 1]) };
    if packet[0] == 0x45 && packet[9] == UDP as u8 {
        return packet[BEHIND_4] & LONG != 0;
    }
    if packet[0] >> 4 != 6 || packet[6] != UDP as u8 || data + BEHIND_6 + 1 > end {
        return true;
    }
    // SAFETY: as above.
    let first = unsafe { *((data + BEHIND_6) as *const u8) };
    first & LONG != 0
}

#[inline(always)]
pub fn begins_quic(ctx: *mut __sk_buff, packet: &Packet) -> Begins {
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
