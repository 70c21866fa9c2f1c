//! The handshake of a client's first datagrams.

use std::collections::BTreeMap;

use rustls::crypto::ring::cipher_suite::TLS13_AES_128_GCM_SHA256;
use rustls::quic::{self, Keys};
use rustls::{Side, SupportedCipherSuite};

use super::frames;
use super::header::{Initial, Packet, Version};
use crate::network::tls::{MESSAGE_MAX, Progress, message};

/// Packets of a datagram that are looked at, at most.
const PACKETS_MAX: usize = 16;
/// Pieces of the handshake that wait for what belongs before them, at most.
const PIECES_MAX: usize = 64;
/// RFC 9001, 5.4.2
const SAMPLE: usize = 16;
const NUMBER_MAX: usize = 4;

/// One connection's Initials from its client, in whatever order they come.
#[derive(Default)]
pub struct Initials {
    /// By the connection id that the client had made up: later ones go to the server's.
    keys: Option<Keys>,
    /// The handshake from its beginning.
    read: Vec<u8>,
    /// What belongs behind something that has not come.
    waiting: BTreeMap<usize, Vec<u8>>,
}

impl std::fmt::Debug for Initials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Initials")
            .field("read", &self.read.len())
            .field("waiting", &self.waiting.len())
            .finish_non_exhaustive()
    }
}

impl Initials {
    /// Whether nothing of a connection was read.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.keys.is_none() && self.read.is_empty() && self.waiting.is_empty()
    }

    /// Takes a datagram of the client's.
    pub fn take(&mut self, datagram: &[u8]) -> Progress {
        let mut left = datagram;
        let mut any = false;
        for _ in 0..PACKETS_MAX {
            // Between datagrams that are sent at once the first may be filled up with what is no packet.
            let filler = left.iter().take_while(|byte| **byte == 0).count();
            left = &left[filler..];
            match Packet::first(left) {
                Packet::Initial(initial) => {
                    any |= self.initial(&initial);
                    left = &left[initial.bytes.len()..];
                }
                Packet::Other { length } => left = &left[length..],
                Packet::Last => break,
            }
        }
        if !any && self.read.is_empty() && self.waiting.is_empty() {
            return Progress::NoHello;
        }
        message(&self.read)
    }

    /// Whether it could be read: by the keys of the connection's first one or, of that one and behind a Retry, by its own.
    fn initial(&mut self, initial: &Initial<'_>) -> bool {
        if let Some(keys) = &self.keys
            && let Some(payload) = unprotected(keys, initial.bytes.to_owned(), initial.number_at)
        {
            self.keep_all(&payload);
            return true;
        }
        let Some(own) = keys(initial) else { return false };
        let Some(payload) = unprotected(&own, initial.bytes.to_owned(), initial.number_at) else {
            return false;
        };
        self.keys = Some(own);
        self.keep_all(&payload);
        true
    }

    fn keep_all(&mut self, payload: &[u8]) {
        frames::crypto(payload, |offset, piece| {
            keep(&mut self.read, &mut self.waiting, offset, piece);
        });
    }
}

fn keys(initial: &Initial<'_>) -> Option<Keys> {
    let SupportedCipherSuite::Tls13(suite) = TLS13_AES_128_GCM_SHA256 else {
        return None;
    };
    let version = match initial.version {
        Version::V1 => quic::Version::V1,
        Version::V2 => quic::Version::V2,
    };
    // The server's side reads what the client has written.
    Some(Keys::initial(
        version,
        suite,
        suite.quic?,
        initial.destination,
        Side::Server,
    ))
}

/// What a packet carries; nothing where these are not its keys.
fn unprotected(keys: &Keys, mut bytes: Vec<u8>, number_at: usize) -> Option<Vec<u8>> {
    let (header, behind) = bytes.split_at_mut_checked(number_at)?;
    let (number, sampled) = behind.split_at_mut_checked(NUMBER_MAX)?;
    let sample = sampled.get(..SAMPLE)?;
    keys.remote
        .header
        .decrypt_in_place(sample, header.first_mut()?, number)
        .ok()?;
    let length = usize::from(header.first()? & 3) + 1;
    let packet = number[..length]
        .iter()
        .fold(0, |packet, byte| packet << 8 | u64::from(*byte));
    let (clear, payload) = bytes.split_at_mut_checked(number_at + length)?;
    let payload = keys.remote.packet.decrypt_in_place(packet, clear, payload).ok()?;
    Some(payload.to_owned())
}

/// Puts a piece where it belongs. What goes beyond [`MESSAGE_MAX`], or finds no room to wait, is let go.
fn keep(read: &mut Vec<u8>, waiting: &mut BTreeMap<usize, Vec<u8>>, offset: u64, piece: &[u8]) {
    let Ok(offset) = usize::try_from(offset) else {
        return;
    };
    let end = offset.saturating_add(piece.len());
    if end > MESSAGE_MAX {
        return;
    }
    if offset > read.len() {
        let longer = waiting.get(&offset).is_none_or(|known| known.len() < piece.len());
        if longer && (waiting.len() < PIECES_MAX || waiting.contains_key(&offset)) {
            waiting.insert(offset, piece.to_owned());
        }
        return;
    }
    if end > read.len() {
        read.extend_from_slice(&piece[read.len() - offset..]);
    }
    while let Some(entry) = waiting.first_entry() {
        let offset = *entry.key();
        if offset > read.len() {
            return;
        }
        let piece = entry.remove();
        if offset + piece.len() > read.len() {
            read.extend_from_slice(&piece[read.len() - offset..]);
        }
    }
}
