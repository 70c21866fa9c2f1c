//! Packets with a long header, as far as they are in clear.

use crate::network::cursor::Cursor;

/// RFC 9000, 15; RFC 9369, 3.1.
const V1: u32 = 1;
const V2: u32 = 0x6b33_43cf;
/// RFC 9000, 17.2
const LONG: u8 = 0x80;
const ID_MAX: usize = 20;

/// A version that is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Version {
    V1,
    V2,
}

/// What stands first in a datagram, or behind another packet in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Packet<'a> {
    Initial(Initial<'a>),
    /// Another one that has a length; what is behind it goes on.
    Other {
        length: usize,
    },
    /// One that goes to the end of the datagram, of a version that is not read, or none at all.
    Last,
}

/// An Initial, still protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Initial<'a> {
    pub(super) version: Version,
    /// The connection id that it is sent to.
    pub(super) destination: &'a [u8],
    /// All of it.
    pub(super) bytes: &'a [u8],
    /// Where the packet number begins, which is protected too.
    pub(super) number_at: usize,
}

impl<'a> Packet<'a> {
    /// The first packet of these bytes.
    pub(super) fn first(bytes: &'a [u8]) -> Self {
        Self::read(bytes).unwrap_or(Self::Last)
    }

    fn read(bytes: &'a [u8]) -> Option<Self> {
        let mut cursor = Cursor::new(bytes);
        let first = cursor.u8().filter(|first| first & LONG != 0)?;
        let version = match cursor.u32()? {
            V1 => Version::V1,
            V2 => Version::V2,
            _ => return None,
        };
        let destination = cursor.short().filter(|id| id.len() <= ID_MAX)?;
        let _source = cursor.short().filter(|id| id.len() <= ID_MAX)?;
        let (initial, retry) = match version {
            Version::V1 => (0, 3),
            Version::V2 => (1, 0),
        };
        let kind = first >> 4 & 3;
        if kind == retry {
            return None;
        }
        let is_initial = kind == initial;
        if is_initial {
            let length = usize::try_from(cursor.varint()?).ok()?;
            let _token = cursor.take(length)?;
        }
        let length = usize::try_from(cursor.varint()?).ok()?;
        let number_at = bytes.len() - cursor.left().len();
        let _payload = cursor.take(length)?;
        let length = number_at + length;
        Some(if is_initial {
            Self::Initial(Initial {
                version,
                destination,
                bytes: &bytes[..length],
                number_at,
            })
        } else {
            Self::Other { length }
        })
    }
}
