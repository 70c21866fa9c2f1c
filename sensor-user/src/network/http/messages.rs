//! Messages one after the other in a stream, of which some bytes may not have been seen.

use super::body::Body;

/// Bytes of a head, at most. Servers take eight thousand or sixteen.
pub const HEAD_MAX: usize = 16 * 1024;
/// Messages that begin in one piece, at most: each takes some bytes.
const AT_ONCE_MAX: usize = 1024;

/// What a message begins with.
pub trait Head: Sized {
    /// The head at the beginning of these bytes, how long it is, and what follows; `Ok(None)` where it is not whole yet.
    ///
    /// # Errors
    /// Where it is none.
    fn parse(bytes: &[u8]) -> Result<Option<(Self, usize, Body)>, NoHead>;

    /// Whether a head may begin so: by what a stream is found again by.
    fn may_begin(bytes: &[u8]) -> bool;

    /// What can be told of a head that is none by the letter, or too long, and yet one to a lenient server; and how long it is, where that is known.
    fn parse_leniently(bytes: &[u8]) -> Option<(Self, Option<usize>)>;
}

/// These bytes begin no head.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no head of HTTP/1")]
pub struct NoHead;

/// One direction of a connection.
#[derive(Clone, Debug)]
pub struct Messages {
    head: Vec<u8>,
    body: Body,
    /// Where the stream is, is not known any more.
    is_lost: bool,
    /// How many heads could not be read.
    unread: u64,
}

impl Default for Messages {
    fn default() -> Self {
        Self {
            head: Vec::new(),
            body: Body::Length(0),
            is_lost: false,
            unread: 0,
        }
    }
}

impl Messages {
    /// Takes the bytes that come next; the heads that are whole by then.
    pub fn take<H: Head>(&mut self, mut bytes: &[u8]) -> Vec<H> {
        let mut heads = Vec::new();
        // What looks like a head where a body should go on is one to a server that takes the body for shorter, or for none.
        let is_head = || matches!(H::parse(bytes), Ok(Some(_)));
        if H::may_begin(bytes) && (self.is_lost || (!self.body.is_over() && is_head())) {
            *self = Self {
                unread: self.unread,
                ..Self::default()
            };
        }
        while !bytes.is_empty() && !self.is_lost && heads.len() < AT_ONCE_MAX {
            if !self.body.is_over() {
                match self.body.pass(bytes) {
                    Some(passed) => bytes = &bytes[passed..],
                    None => self.lose(),
                }
                continue;
            }
            let before = self.head.len();
            self.head
                .extend_from_slice(&bytes[..bytes.len().min(HEAD_MAX - before)]);
            match H::parse(&self.head) {
                Ok(Some((head, length, body))) => {
                    bytes = &bytes[length.saturating_sub(before)..];
                    self.head.clear();
                    self.body = body;
                    heads.push(head);
                }
                Ok(None) if self.head.len() < HEAD_MAX => return heads,
                Ok(None) | Err(NoHead) => match H::parse_leniently(&self.head) {
                    Some((head, length)) => {
                        heads.push(head);
                        self.head.clear();
                        match length {
                            Some(length) => bytes = &bytes[length.saturating_sub(before)..],
                            None => self.lose(),
                        }
                    }
                    None => self.lose(),
                },
            }
        }
        heads
    }

    /// So many bytes were sent and not seen.
    pub fn miss(&mut self, count: u64) {
        if count == 0 || self.is_lost {
            return;
        }
        match &mut self.body {
            Body::Length(left) if self.head.is_empty() && *left >= count => *left -= count,
            Body::Rest => {}
            _ => self.lose(),
        }
    }

    /// How many heads could not be read, or may have been missed.
    #[must_use]
    pub const fn unread(&self) -> u64 {
        self.unread
    }

    /// Whether no message is under way, as far as is known.
    #[must_use]
    pub fn is_between(&self) -> bool {
        self.head.is_empty() && (self.body.is_over() || self.is_lost)
    }

    fn lose(&mut self) {
        self.head = Vec::new();
        self.body = Body::Length(0);
        self.is_lost = true;
        self.unread += 1;
    }
}
