//! One connection: how far what is said on it was followed.

use super::{Asked, Said, datagrams::Datagrams};
use crate::{
    decode::Packet,
    network::{
        http::{Messages, Request, Response},
        tls::{HelloReader, Progress, Transport},
    },
};

/// What it is.
#[derive(Default)]
pub(super) struct Talk {
    sent: Stream,
    received: Stream,
    state: State,
}

#[derive(Default)]
enum State {
    /// Nothing was said yet.
    #[default]
    New,
    /// A ClientHello, as far as it is there; behind a proxy's consent, to this place.
    Hello(HelloReader, Option<String>),
    /// Requests, and what is answered; behind a proxy's consent, by this place.
    Http(Box<(Messages, Messages)>, Option<String>),
    /// A proxy was asked for a connection to this place, and what follows is that connection's.
    Tunnel(String),
    /// Datagrams, which make no stream.
    Datagrams(Box<Datagrams>),
    /// Nothing more is to be learned.
    Over,
}

/// One direction of a stream.
#[derive(Default)]
struct Stream {
    next: u32,
}

impl Stream {
    /// What of a packet was not taken before, and how many bytes are missing before it.
    fn new_of<'a>(&mut self, packet: &'a Packet) -> (u32, &'a [u8]) {
        let ahead = packet.offset.wrapping_sub(self.next).cast_signed();
        let length = u32::try_from(packet.bytes.len()).unwrap_or(u32::MAX);
        let end = packet.offset.wrapping_add(length);
        if ahead >= 0 {
            self.next = end;
            return (ahead.unsigned_abs(), &packet.bytes);
        }
        let known = usize::try_from(ahead.unsigned_abs()).unwrap_or(usize::MAX);
        match packet.bytes.get(known..) {
            Some(new) if !new.is_empty() => {
                self.next = end;
                (0, new)
            }
            _ => (0, &[]),
        }
    }
}

impl Talk {
    pub(super) fn datagrams() -> Self {
        Self {
            state: State::Datagrams(Box::default()),
            ..Self::default()
        }
    }

    pub(super) fn is_over(&self) -> bool {
        match &self.state {
            State::Over => true,
            State::Datagrams(datagrams) => datagrams.is_over(),
            _ => false,
        }
    }

    /// Whether nothing is lost with it.
    pub(super) fn is_passed(&self) -> bool {
        match &self.state {
            State::Datagrams(datagrams) => datagrams.is_passed(),
            // Closed ones stay until others need their room. One that goes on is found again by its next request.
            State::Http(both, _) => both.0.is_between(),
            _ => false,
        }
    }

    /// Takes a packet. Adds to `lost` where a part that was needed is missing.
    pub(super) fn take(&mut self, packet: &Packet, lost: &mut u64) -> Vec<Said> {
        if let State::Datagrams(datagrams) = &mut self.state {
            return datagrams.take(packet).into_iter().collect();
        }
        let stream = if packet.is_received {
            &mut self.received
        } else {
            &mut self.sent
        };
        let (missing, bytes) = stream.new_of(packet);
        // Whoever receives has it beside the stream.
        let known = packet.bytes.len() - bytes.len();
        let mut without = Vec::new();
        let urgent = packet.urgent.and_then(|urgent| urgent.checked_sub(known));
        let bytes = match urgent.and_then(|urgent| bytes.split_at_checked(urgent)) {
            Some((before, [_, behind @ ..])) => {
                without.extend_from_slice(before);
                without.extend_from_slice(behind);
                &without
            }
            _ => bytes,
        };
        if packet.is_received {
            self.comes(missing, bytes)
        } else {
            self.goes(missing, bytes, lost)
        }
    }

    /// Bytes that come in.
    fn comes(&mut self, missing: u32, bytes: &[u8]) -> Vec<Said> {
        let State::Http(both, _) = &mut self.state else {
            return Vec::new();
        };
        let unread = both.1.unread();
        both.1.miss(u64::from(missing));
        let responses: Vec<Response> = both.1.take(bytes);
        // What goes before an answer is none.
        let is_final = |response: &Response| response.status >= 200;
        let statuses = responses.iter().filter(|response| is_final(response));
        let mut said: Vec<_> = statuses.map(|response| Said::Answered(response.status)).collect();
        said.extend((both.1.unread() > unread).then_some(Said::AnswersMissed));
        said
    }

    /// Bytes that go out.
    fn goes(&mut self, mut missing: u32, bytes: &[u8], lost: &mut u64) -> Vec<Said> {
        if bytes.is_empty() {
            return Vec::new();
        }
        if missing > 0 && matches!(self.state, State::Hello(..) | State::Tunnel(_)) {
            *lost += 1;
            let cut = match &self.state {
                State::Hello(reader, through) => hello(reader.cut(), through),
                _ => None,
            };
            self.state = State::Over;
            return cut.into_iter().collect();
        }
        if let State::New = self.state {
            // One that was forgotten for another is found again where a request begins.
            *lost += u64::from(missing > 0);
            self.state = if bytes.first() == Some(&0x16) && missing == 0 {
                State::Hello(HelloReader::default(), None)
            } else {
                let mut both = Box::<(Messages, Messages)>::default();
                both.0.miss(u64::from(std::mem::take(&mut missing)));
                State::Http(both, None)
            };
        }
        if let State::Tunnel(place) = &mut self.state {
            let place = Some(std::mem::take(place));
            self.state = if bytes.first() == Some(&0x16) {
                State::Hello(HelloReader::default(), place)
            } else {
                State::Http(Box::default(), place)
            };
        }
        match &mut self.state {
            State::Hello(reader, through) => match reader.take(bytes) {
                Progress::More => Vec::new(),
                progress => {
                    let is_none = matches!(progress, Progress::NoHello);
                    let said = hello(progress, through);
                    self.state = match through.take() {
                        // Whether the proxy has consented is not known, nor whether that is one: what follows may be for itself.
                        Some(place) => {
                            let mut both = Box::<(Messages, Messages)>::default();
                            both.0.miss(1);
                            State::Http(both, Some(place))
                        }
                        None => State::Over,
                    };
                    // What has shown that it is none may begin a request itself.
                    if is_none && matches!(self.state, State::Http(..)) {
                        return self.goes(0, bytes, lost);
                    }
                    said.into_iter().collect()
                }
            },
            State::Http(both, through) => {
                let unread = both.0.unread();
                both.0.miss(u64::from(missing));
                let requests: Vec<Request> = both.0.take(bytes);
                let is_unread = both.0.unread() > unread;
                let mut through = through.clone();
                let mut tunnel = None;
                let mut said = Vec::with_capacity(requests.len());
                for request in requests {
                    if request.method == "CONNECT" {
                        tunnel = Some(request.target.clone());
                        through.clone_from(&tunnel);
                    } else {
                        let through = through.clone();
                        said.push(Said::Asked(Asked { request, through }));
                    }
                }
                said.extend(is_unread.then_some(Said::Unreadable));
                if let Some(place) = tunnel {
                    self.state = State::Tunnel(place);
                }
                said
            }
            _ => Vec::new(),
        }
    }
}

/// The host of a place (`HOST:PORT`); nothing where that is none.
fn host_of(place: &str) -> Option<String> {
    let host = place.rsplit_once(':').map_or(place, |(host, _)| host);
    crate::network::tls::host(host.trim_matches(['[', ']']).as_bytes())
}

fn hello(progress: Progress, through: &Option<String>) -> Option<Said> {
    match progress {
        Progress::Hello(hello) => Some(Said::Hello {
            hello,
            over: Transport::Tcp,
            through_proxy_to: through.as_deref().map(host_of),
        }),
        Progress::More | Progress::NoHello => None,
    }
}
