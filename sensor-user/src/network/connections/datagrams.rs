//! A socket of datagrams: what begins QUIC connections, and what a resolver answers.

use super::Said;
use crate::{
    decode::Packet,
    network::{
        dns::Answer,
        quic::Initials,
        tls::{ClientHello, Progress, Transport},
    },
};

/// Bytes of a DNS answer, at most (RFC 6891, 6.2.5: what is usual is less).
const ANSWER_MAX: usize = 8 * 1_024;
/// Bytes of what is sent at once, which may be several datagrams that the kernel cuts later (`UDP_SEGMENT`): as many as the kernel half takes of a packet.
const SENT_MAX: usize = 16 * 1_024;

#[derive(Default)]
pub(super) struct Datagrams {
    initials: Initials,
    sent: Parts,
    received: Parts,
    /// The last hello: it comes again where nobody has answered, and where the server has sent the client back.
    told: Option<Box<ClientHello>>,
}

impl Datagrams {
    /// Whether nothing is known that will be needed.
    pub(super) fn is_over(&self) -> bool {
        self.told.is_none() && self.is_passed()
    }

    /// Whether no part of anything waits for the rest.
    pub(super) fn is_passed(&self) -> bool {
        self.initials.is_empty() && self.sent.bytes.is_empty() && self.received.bytes.is_empty()
    }

    pub(super) fn take(&mut self, packet: &Packet) -> Option<Said> {
        if packet.is_received {
            let answer = self.received.join(packet, ANSWER_MAX)?;
            return Answer::parse(&answer).map(Said::Named);
        }
        let datagrams = self.sent.join(packet, SENT_MAX)?;
        match self.initials.take(&datagrams) {
            Progress::Hello(hello) => {
                self.initials = Initials::default();
                if self.told.as_ref() == Some(&hello) {
                    return None;
                }
                self.told = Some(hello.clone());
                Some(Said::Hello {
                    hello,
                    over: Transport::Quic,
                    through_proxy_to: None,
                })
            }
            Progress::More => None,
            Progress::NoHello => {
                self.initials = Initials::default();
                None
            }
        }
    }
}

/// A packet that comes in parts.
#[derive(Default)]
struct Parts {
    bytes: Vec<u8>,
}

impl Parts {
    /// The packet, once its last part is here, or as many bytes of it as are taken.
    fn join(&mut self, part: &Packet, max: usize) -> Option<Vec<u8>> {
        if part.offset == 0 {
            self.bytes.clear();
        }
        let is_next = usize::try_from(part.offset).is_ok_and(|offset| offset == self.bytes.len());
        let room = max.saturating_sub(self.bytes.len());
        if !is_next || part.bytes.len() > room {
            self.bytes.clear();
            return None;
        }
        self.bytes.extend_from_slice(&part.bytes);
        (part.left == 0 || self.bytes.len() == max).then(|| std::mem::take(&mut self.bytes))
    }
}
