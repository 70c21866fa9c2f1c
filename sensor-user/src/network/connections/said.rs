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
        /// The host that a proxy was asked to connect to, where one was.
        through_proxy_to: Option<String>,
    },
    /// Something is asked for in clear.
    Asked(Asked),
    /// What was asked for first of what is not answered yet was answered, with this status.
    Answered(u16),
    /// A name has addresses.
    Named(Answer),
}

/// A request in clear.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// What for.
    pub request: Request,
    /// Whether a proxy is asked to ask for it.
    pub by_proxy: bool,
}
