//! A packet as far as its headers say: to whom it goes, and where what it carries begins.

use aya_ebpf::{bindings::__sk_buff, helpers::generated::bpf_skb_load_bytes};
use claviger_sensor_common::{Destination, PACKET_SENT};

use crate::sockets::{TCP, UDP, mapped};

/// Extension headers of IPv6 that are passed over: as many as a sender may put before TCP, each once, and one more of options.
const EXTENSIONS_MAX: u32 = 4;

/// Bits of TCP's header (RFC 9293, 3.1).
const SYN: u8 = 2;
const URG: u8 = 0x20;

/// A packet as far as it was looked at.
#[repr(C)]
pub struct Packet {
    /// Bytes of its stream before it, as far as they were seen.
    pub offset: u32,
    /// `PACKET_SENT` or `PACKET_RECEIVED`.
    pub direction: u32,
    pub transport: u32,
    /// Where the payload begins.
    pub payload: u32,
    /// How long it is.
    pub length: u32,
    /// Of TCP: the sequence number of its first byte.
    pub sequence: u32,
    pub source_port: u32,
    /// Of TCP: which byte of the payload is urgent, from 1 on; 0 where none is.
    pub urgent: u32,
    /// The other end.
    pub peer: Destination,
}

impl Packet {
    pub const NONE: Self = Self {
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

/// Copies bytes of a packet; false where it has not so many.
#[inline(always)]
pub fn load<const N: usize>(skb: *mut __sk_buff, at: u32, to: &mut [u8; N]) -> bool {
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

/// Reads the headers; 0 where there is no payload. Global, so that the verifier looks at it once.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn look(skb: *mut __sk_buff, packet: *mut Packet) -> u32 {
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
