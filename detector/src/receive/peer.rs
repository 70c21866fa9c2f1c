//! Who is at the other end, as its certificate says, and what it may.

use std::future::Future as _;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, Sleep, sleep_until};
use tokio_rustls::server::TlsStream;
use tonic::transport::server::Connected;
use tonic::{Request, Status};

use super::strangers::Place;
use crate::enrol::Role;
use crate::verify::SensorId;

/// Who is at the other end of a connection. Every request carries it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Peer {
    pub(super) address: SocketAddr,
    /// Nothing where it showed no certificate.
    pub(super) role: Option<Role>,
    /// When its certificate does, where it showed one.
    pub(super) expires: Option<Instant>,
}

/// What a connection takes up of a bound; given back when it is dropped.
#[derive(Debug)]
pub(super) enum Held {
    /// A place of those that showed a certificate.
    Known(#[expect(dead_code, reason = "it goes back by being dropped")] OwnedSemaphorePermit),
    /// A place that a newer connection may take.
    Anonymous(Place),
}

impl Held {
    fn poll_lost(&mut self, context: &mut Context<'_>) -> Poll<()> {
        match self {
            Self::Known(_) => Poll::Pending,
            Self::Anonymous(place) => place.poll_lost(context),
        }
    }
}

/// A connection after its handshake.
#[derive(Debug)]
pub(super) struct PeerStream {
    pub(super) peer: Peer,
    pub(super) stream: TlsStream<TcpStream>,
    pub(super) held: Held,
    /// When it ends.
    pub(super) deadline: Pin<Box<Sleep>>,
}

/// The sensor that makes a request; an error where somebody else does.
pub(super) fn sensor<T>(request: &Request<T>) -> Result<SensorId, Status> {
    match role(request)? {
        Role::Sensor(id) => Ok(id),
        Role::Operator => Err(Status::permission_denied(
            "only sensors send evidence; this is an operator's certificate",
        )),
    }
}

/// Returns when the certificate behind a connection has expired; never, where none was shown.
pub(super) async fn expired(expires: Option<Instant>) {
    match expires {
        Some(expires) => sleep_until(expires).await,
        None => std::future::pending().await,
    }
}

/// An error where anybody but an operator makes a request.
pub(super) fn operator<T>(request: &Request<T>) -> Result<(), Status> {
    match role(request)? {
        Role::Operator => Ok(()),
        Role::Sensor(_) => Err(Status::permission_denied(
            "only operators read findings; this is a sensor's certificate",
        )),
    }
}

fn role<T>(request: &Request<T>) -> Result<Role, Status> {
    let peer = request.extensions().get::<Peer>().copied();
    peer.and_then(|peer| peer.role).ok_or_else(|| {
        Status::unauthenticated(
            "show a client certificate of this detector; a sensor gets one with `claviger-sensor enrol`",
        )
    })
}

impl Connected for PeerStream {
    type ConnectInfo = Peer;

    fn connect_info(&self) -> Peer {
        self.peer
    }
}

impl AsyncRead for PeerStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.deadline.as_mut().poll(context).is_ready() {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        if self.held.poll_lost(context).is_ready() {
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        }
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for PeerStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
