//! What processes do on the network.

use std::{
    net::{IpAddr, Ipv6Addr, SocketAddr},
    sync::Arc,
};

use claviger_sensor_common::{
    ConnectRecord, Destination, PACKET_RECEIVED, PACKET_SENT, PacketRecord, SocketFacts, TaskSnapshot,
};

use super::{DecodeError, Task};

/// A socket that is watched, and what its process asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Socket {
    /// The kernel's number of it, which no other has on this boot.
    pub cookie: u64,
    /// Where the process asked to go. IPv4-mapped IPv6 is IPv4.
    pub asked: SocketAddr,
    /// Where it was to go when the kernel half saw it: something may have rewritten it before.
    pub directed: SocketAddr,
    /// How.
    pub transport: Transport,
}

/// A transport protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// A stream.
    Tcp,
    /// Datagrams.
    Udp,
}

/// A process asked for a connection to an endpoint of the catalogue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connect {
    /// Nanoseconds since boot.
    pub time_boot_ns: u64,
    /// Who.
    pub task: Arc<Task>,
    /// By which socket.
    pub socket: Socket,
}

/// A packet, or a part of one.
#[derive(Clone, PartialEq, Eq)]
pub struct Packet {
    /// Nanoseconds since boot.
    pub time_boot_ns: u64,
    /// Who sent on it last, where that is known; else who opened the socket, or sent from it last where it is not connected.
    pub task: Arc<Task>,
    /// Whether it is who sent.
    pub is_sender: bool,
    /// Of which socket.
    pub socket: Socket,
    /// The other end, as the packet has it.
    pub peer: SocketAddr,
    /// Whether it came in.
    pub is_received: bool,
    /// Of a stream: bytes in this direction before it, as far as it was seen, modulo 2^32. Of a datagram: bytes of it before these.
    pub offset: u32,
    /// Bytes of the packet behind these that are not here.
    pub left: u32,
    /// Which of the bytes is urgent, and not in the stream to the other end.
    pub urgent: Option<usize>,
    /// The payload. It may hold secrets.
    pub bytes: Vec<u8>,
}

impl std::fmt::Debug for Packet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Packet")
            .field("socket", &self.socket)
            .field("peer", &self.peer)
            .field("is_received", &self.is_received)
            .field("offset", &self.offset)
            .field("left", &self.left)
            .field("length", &self.bytes.len())
            .finish_non_exhaustive()
    }
}

impl Connect {
    pub(super) fn from_record(record: &ConnectRecord) -> Result<Self, DecodeError> {
        Ok(Self {
            time_boot_ns: record.header.time_boot_ns,
            task: task(&record.task),
            socket: Socket::new(&record.socket)?,
        })
    }
}

impl Packet {
    pub(super) fn from_record(record: &PacketRecord) -> Result<Self, DecodeError> {
        let length = usize::try_from(record.length).unwrap_or(usize::MAX);
        let bytes = record.bytes.get(..length).ok_or(DecodeError::OutOfRange {
            field: "length",
            value: record.length,
        })?;
        let is_received = match record.direction {
            PACKET_SENT => false,
            PACKET_RECEIVED => true,
            value => {
                return Err(DecodeError::OutOfRange {
                    field: "direction",
                    value,
                });
            }
        };
        Ok(Self {
            time_boot_ns: record.header.time_boot_ns,
            task: task(&record.task),
            is_sender: record.sender_is_known != 0,
            socket: Socket::new(&record.socket)?,
            peer: address(&record.peer)?,
            is_received,
            offset: record.offset,
            left: record.left,
            urgent: usize::try_from(record.urgent)
                .ok()
                .and_then(|urgent| urgent.checked_sub(1)),
            bytes: bytes.to_vec(),
        })
    }
}

impl Socket {
    fn new(facts: &SocketFacts) -> Result<Self, DecodeError> {
        Ok(Self {
            cookie: facts.cookie,
            asked: address(&facts.asked)?,
            directed: address(&facts.directed)?,
            transport: match facts.transport {
                6 => Transport::Tcp,
                17 => Transport::Udp,
                value => {
                    return Err(DecodeError::OutOfRange {
                        field: "transport",
                        value,
                    });
                }
            },
        })
    }
}

fn task(snapshot: &TaskSnapshot) -> Arc<Task> {
    Arc::new(Task::from(snapshot))
}

fn address(destination: &Destination) -> Result<SocketAddr, DecodeError> {
    let port = u16::try_from(destination.port).map_err(|_| DecodeError::OutOfRange {
        field: "port",
        value: destination.port,
    })?;
    let address = IpAddr::V6(Ipv6Addr::from(destination.address)).to_canonical();
    Ok(SocketAddr::new(address, port))
}
