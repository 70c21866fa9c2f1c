//! What is said on a connection.

use crate::network::{
    dns::Answer,
    http::Request,
    tls::{ClientHello, Transport},
};

/// A thing said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// A TLS session begins.
    Hello {
        /// With this.
        hello: Box<ClientHello>,
        /// Over this.
        over: Transport,
        /// Where a proxy was asked for the connection, the host that it was asked to connect to, if that is one.
        through_proxy_to: Option<Option<String>>,
    },
    /// Something is asked for in clear.
    Asked(Asked),
    /// Something is asked for in clear that could not be read.
    Unreadable,
    /// What was asked for first of what is not answered yet was answered, with this status.
    Answered(u16),
    /// Answers may have been missed.
    AnswersMissed,
    /// A name has addresses.
    Named(Answer),
}

/// A request in clear.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// What for.
    pub request: Request,
    /// Where a proxy was asked to connect to before, as it was asked (`HOST:PORT`): what is asked is asked there.
    pub through: Option<String>,
}
