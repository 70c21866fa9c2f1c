//! A ClientHello out of a stream of bytes, however the client has cut it into records, and the network into segments.

use super::hello::ClientHello;
use crate::network::cursor::Cursor;

/// Bytes of a handshake message that are kept, at most. With a post-quantum key share a hello has two thousand; one with all that can be meant has not five.
pub const MESSAGE_MAX: usize = 16 * 1024;
/// Records of a hello, at most: a client can put each byte into one of its own.
const RECORDS_MAX: usize = 1024;

/// RFC 8446, 5.1
const HANDSHAKE: u8 = 22;
const RECORD_MAX: usize = 1 << 14;
const HEADER: usize = 5;
/// RFC 8446, 4
const CLIENT_HELLO: u8 = 1;

/// How far it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    /// More is to come.
    More,
    /// It is no TLS, or none that begins here.
    NoHello,
    /// It is whole, or as whole as it can be read.
    Hello(Box<ClientHello>),
}

/// Reads records from the first byte of a connection on.
#[derive(Clone, Debug, Default)]
pub struct HelloReader {
    /// The beginning of a record's header.
    header: Vec<u8>,
    /// Bytes of the record that are still to come.
    left: usize,
    records: usize,
    message: Vec<u8>,
}

impl HelloReader {
    /// Takes the bytes that come next.
    pub fn take(&mut self, mut bytes: &[u8]) -> Progress {
        loop {
            if self.left == 0 {
                let wanted = HEADER - self.header.len();
                let (header, behind) = bytes.split_at(wanted.min(bytes.len()));
                self.header.extend_from_slice(header);
                bytes = behind;
                if !begins_record(&self.header) {
                    return Progress::NoHello;
                }
                let Ok([_, _, _, high, low]) = <[u8; HEADER]>::try_from(&*self.header) else {
                    return Progress::More;
                };
                self.header.clear();
                self.left = usize::from(u16::from_be_bytes([high, low]));
                self.records += 1;
                // One with nothing in it is forbidden, and passed over by servers.
                if self.left > RECORD_MAX || self.records > RECORDS_MAX {
                    return Progress::NoHello;
                }
            }
            let (content, behind) = bytes.split_at(self.left.min(bytes.len()));
            self.left -= content.len();
            bytes = behind;
            let room = MESSAGE_MAX - self.message.len();
            self.message
                .extend_from_slice(&content[..content.len().min(room)]);
            match message(&self.message) {
                Progress::More if self.message.len() >= MESSAGE_MAX => return self.cut(),
                Progress::More if !bytes.is_empty() => {}
                progress => return progress,
            }
        }
    }

    /// What there is of it, where no more comes.
    #[must_use]
    pub fn cut(&self) -> Progress {
        let body = self.message.get(4..);
        let hello = body.and_then(ClientHello::parse);
        hello.map_or(Progress::NoHello, |hello| {
            Progress::Hello(Box::new(ClientHello {
                incomplete: true,
                ..hello
            }))
        })
    }
}

/// Whether these can be the first bytes of a record that a hello lies in. The lower half of its version is to be ignored (RFC 8446, 5.1).
fn begins_record(header: &[u8]) -> bool {
    let is = |at: usize, byte: u8| header.get(at).is_none_or(|found| *found == byte);
    is(0, HANDSHAKE) && is(1, 3)
}

/// A hello by the first bytes of a handshake.
#[must_use]
pub fn message(bytes: &[u8]) -> Progress {
    let mut cursor = Cursor::new(bytes);
    match cursor.u8() {
        None => return Progress::More,
        Some(CLIENT_HELLO) => {}
        Some(_) => return Progress::NoHello,
    }
    let Some(length) = cursor.u24() else {
        return Progress::More;
    };
    match cursor.take(length) {
        Some(body) => {
            ClientHello::parse(body).map_or(Progress::NoHello, |hello| Progress::Hello(Box::new(hello)))
        }
        None => Progress::More,
    }
}
