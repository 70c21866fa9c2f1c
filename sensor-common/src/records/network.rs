//! What processes do on the network.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::{RecordHeader, TaskSnapshot};
use crate::limits::PACKET_BYTES;

/// Where a packet went: out of this host.
pub const PACKET_SENT: u32 = 0;
/// It came in.
pub const PACKET_RECEIVED: u32 = 1;

/// An address and a port, as a key: IPv4 as IPv4-mapped IPv6 (RFC 4291, 2.5.5.2).
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Destination {
    /// In the order of the wire.
    pub address: [u8; 16],
    /// In the host's order.
    pub port: u32,
}

/// What is known of a socket since it was connected, or sent from.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct SocketFacts {
    /// The kernel's number of the socket, which no other has on this boot.
    pub cookie: u64,
    /// Where the process asked to go, by its system call where that could be read, before anything rewrote it. Else as [`Self::directed`].
    pub asked: Destination,
    /// Where it was to go when the sensor's program ran: another one may have rewritten it before.
    pub directed: Destination,
    /// IANA protocol number: 6 TCP, 17 UDP.
    pub transport: u32,
    /// 0.
    pub reserved: u32,
}

/// A process asked for a connection to an endpoint of the catalogue.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct ConnectRecord {
    /// Begins every record.
    pub header: RecordHeader,
    /// Who.
    pub task: TaskSnapshot,
    /// By which socket, and where to.
    pub socket: SocketFacts,
}

/// A packet, or the beginning of one, or a part of a long one.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct PacketRecord {
    /// Begins every record.
    pub header: RecordHeader,
    /// Who, as `sender_is_known` says.
    pub task: TaskSnapshot,
    /// Of which socket.
    pub socket: SocketFacts,
    /// The address of the other end in the packet itself.
    pub peer: Destination,
    /// [`PACKET_SENT`] or [`PACKET_RECEIVED`].
    pub direction: u32,
    /// Of TCP: how many bytes of the stream in this direction stand before the first of these, since the sensor has seen it, modulo 2^32.
    pub offset: u32,
    /// Bytes of the payload that are here.
    pub length: u32,
    /// Bytes of the payload behind these that belong to the same packet and were not taken.
    pub left: u32,
    /// 1 where `task` is who sent last, and 0 where it is who opened the socket, or sent from it last where it is not connected, for nobody sees who sends.
    pub sender_is_known: u32,
    /// Of TCP: which of these bytes is urgent, from 1 on, so that the other end does not have it in the stream; 0 where none is.
    pub urgent: u32,
    /// 0.
    pub reserved: u32,
    /// The payload.
    pub bytes: [u8; PACKET_BYTES],
}
