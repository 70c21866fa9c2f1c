//! Connections that are watched, each from its first bytes on: what is said on them that tells whose credentials are used, and where. No input or output, and no clock: whoever
//! hands it packets says when they were.
//!
//! Bounded: of [`CONNECTIONS_MAX`] connections it is known what was said; the one that was quiet for the longest is forgotten for another one.

mod datagrams;
mod said;
mod talk;

use std::collections::{BTreeMap, HashMap};

pub use said::{Asked, Said};
use talk::Talk;

use crate::decode::{Packet, Socket, Transport};

/// Connections that are known at a time.
pub const CONNECTIONS_MAX: usize = 4_096;

/// All of them.
#[derive(Default)]
pub struct Connections {
    known: HashMap<u64, Connection>,
    /// Which was heard of last, by the order in which they were.
    order: BTreeMap<u64, u64>,
    heard: u64,
    /// How many were forgotten for others, of which something was still to come together.
    displaced: u64,
    /// How often a part of a stream was missing that was needed.
    missed: u64,
}

struct Connection {
    heard: u64,
    socket: Socket,
    talk: Talk,
}

impl Connections {
    /// Takes a packet; what it tells, in order.
    pub fn take(&mut self, packet: &Packet) -> Vec<Said> {
        self.heard += 1;
        let cookie = packet.socket.cookie;
        // Where a socket is connected anew, to elsewhere, nothing of before holds.
        let is_same = |known: &Connection| known.socket == packet.socket;
        if !self.known.get(&cookie).is_some_and(is_same) {
            self.forget(cookie);
            self.make_room();
            let connection = Connection {
                heard: self.heard,
                socket: packet.socket.clone(),
                talk: match packet.socket.transport {
                    Transport::Tcp => Talk::default(),
                    Transport::Udp => Talk::datagrams(),
                },
            };
            self.known.insert(cookie, connection);
        }
        let Some(connection) = self.known.get_mut(&cookie) else {
            return Vec::new();
        };
        self.order.remove(&connection.heard);
        connection.heard = self.heard;
        self.order.insert(self.heard, cookie);
        let said = connection.talk.take(packet, &mut self.missed);
        if connection.talk.is_over() {
            self.forget(cookie);
        }
        said
    }

    /// How much could not be followed.
    #[must_use]
    pub const fn lost(&self) -> u64 {
        self.displaced + self.missed
    }

    /// How often a part was missing of what was sent on the connection that a packet is of.
    #[must_use]
    pub const fn missed(&self) -> u64 {
        self.missed
    }

    /// How many are known.
    #[must_use]
    pub fn len(&self) -> usize {
        self.known.len()
    }

    /// Whether none is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.known.is_empty()
    }

    fn forget(&mut self, cookie: u64) {
        if let Some(connection) = self.known.remove(&cookie) {
            self.order.remove(&connection.heard);
        }
    }

    fn make_room(&mut self) {
        if self.known.len() < CONNECTIONS_MAX {
            return;
        }
        if let Some((_, cookie)) = self.order.pop_first() {
            let gone = self.known.remove(&cookie);
            self.displaced += u64::from(gone.is_some_and(|gone| !gone.talk.is_passed()));
        }
    }
}

#[cfg(test)]
mod tests;
