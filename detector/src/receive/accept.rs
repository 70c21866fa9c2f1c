//! Accepts connections and does their handshakes.
//!
//! Bounds: `max_connections` at the same time that showed a certificate; beside them [`MAX_ANONYMOUS`] without one, each for
//! [`ANONYMOUS_LIFETIME`], and [`MAX_HANDSHAKES`] whose handshake is under way, each for [`HANDSHAKE_TIMEOUT`]; both make room for
//! newer ones ([`strangers`](super::strangers)). So strangers take no place of a sensor's, and not all of those who enrol. [`READY`] connections wait to be served. With a certificate one
//! more waits as long as a handshake may; what finds no room then is closed.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc};
use tokio::time::{Instant, MissedTickBehavior, Sleep, interval, sleep, sleep_until, timeout_at};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::failures::Failures;
use super::peer::{Held, Peer, PeerStream};
use super::stopping::Stopping;
use super::strangers::Strangers;
use crate::clock::SharedClock;
use crate::enrol::facts;

const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
const MAX_HANDSHAKES: usize = 256;
/// Of these of one source.
const MAX_HANDSHAKES_EACH: usize = 128;
const MAX_ANONYMOUS: usize = 64;
/// Of these of one source.
const MAX_ANONYMOUS_EACH: usize = 32;
/// Enough to enrol, or to ask for health.
const ANONYMOUS_LIFETIME: Duration = Duration::from_secs(60);
/// How long a connection stays when its certificate has expired, so that open streams can say why they end.
const PARTING: Duration = Duration::from_secs(5);
const READY: usize = 16;
/// How long to wait after the system gave no connection (no descriptors, no memory).
const RETRY: Duration = Duration::from_millis(200);
/// How often failed handshakes are summed up in the log.
const TELL_FAILURES: Duration = Duration::from_secs(10);

type Connections = mpsc::Sender<Result<PeerStream, std::io::Error>>;

/// Connections whose handshake is done.
pub(super) type Accepted = mpsc::Receiver<Result<PeerStream, std::io::Error>>;

struct Acceptor {
    tls: TlsAcceptor,
    clock: SharedClock,
    known: Arc<Semaphore>,
    anonymous: Strangers,
    handshakes: Strangers,
    failures: Failures,
    ready: Connections,
}

/// Accepts until the detector stops.
pub(super) fn accept(
    listener: TcpListener,
    tls: TlsAcceptor,
    max_connections: u32,
    clock: SharedClock,
    stopping: Stopping,
) -> Accepted {
    let (ready, accepted) = mpsc::channel(READY);
    let most = usize::try_from(max_connections)
        .unwrap_or(usize::MAX)
        .min(Semaphore::MAX_PERMITS);
    let acceptor = Acceptor {
        tls,
        clock,
        known: Arc::new(Semaphore::new(most)),
        anonymous: Strangers::new(MAX_ANONYMOUS, MAX_ANONYMOUS_EACH),
        handshakes: Strangers::new(MAX_HANDSHAKES, MAX_HANDSHAKES_EACH),
        failures: Failures::default(),
        ready,
    };
    tokio::spawn(run(listener, Arc::new(acceptor), stopping));
    accepted
}

async fn run(listener: TcpListener, acceptor: Arc<Acceptor>, mut stopping: Stopping) {
    let mut tell = interval(TELL_FAILURES);
    tell.set_missed_tick_behavior(MissedTickBehavior::Delay);
    // Said once, however often it is tried again.
    let mut is_accepting = true;
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = tell.tick() => {
                acceptor.failures.tell();
                continue;
            }
            () = stopping.wait() => return,
        };
        match accepted {
            Ok((stream, address)) => {
                is_accepting = true;
                let acceptor = Arc::clone(&acceptor);
                let mut place = acceptor.handshakes.enter(address.ip());
                tokio::spawn(async move {
                    let connection = tokio::select! {
                        connection = acceptor.shake_hands(stream, address) => connection,
                        () = place.lost() => {
                            acceptor.failures.dropped.fetch_add(1, Ordering::Relaxed);
                            tracing::debug!(%address, "unfinished TLS handshake was dropped for a newer one");
                            return;
                        }
                    };
                    drop(place);
                    if let Some(connection) = connection {
                        // Nobody takes it only when the detector stops.
                        let _ = acceptor.ready.send(Ok(connection)).await;
                    }
                });
            }
            Err(error) => {
                if is_accepting {
                    is_accepting = false;
                    tracing::warn!(%error, "no connection can be accepted until this is over");
                }
                sleep(RETRY).await;
            }
        }
    }
}

impl Acceptor {
    /// A connection with its permit; nothing where it came to nothing.
    async fn shake_hands(&self, stream: TcpStream, address: SocketAddr) -> Option<PeerStream> {
        let deadline = Instant::now() + HANDSHAKE_TIMEOUT;
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%address, %error, "TCP_NODELAY could not be set");
        }
        let stream = match timeout_at(deadline, self.tls.accept(stream)).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => {
                self.failures.failed.fetch_add(1, Ordering::Relaxed);
                tracing::debug!(%address, %error, "TLS handshake failed");
                return None;
            }
            Err(_) => {
                self.failures.timed_out.fetch_add(1, Ordering::Relaxed);
                tracing::debug!(%address, seconds = HANDSHAKE_TIMEOUT.as_secs(), "TLS handshake took too long");
                return None;
            }
        };
        let (peer, end) = self.peer(&stream, address);
        let permit = self.permit(&peer, deadline).await?;
        Some(PeerStream {
            peer,
            stream,
            held: permit,
            deadline: end,
        })
    }

    /// Who that is, and when the connection ends.
    fn peer(&self, stream: &TlsStream<TcpStream>, address: SocketAddr) -> (Peer, Pin<Box<Sleep>>) {
        let certificates = stream.get_ref().1.peer_certificates();
        let facts = certificates.and_then(|chain| facts(chain.first()?));
        let known = facts.and_then(|facts| Some((facts.role?, facts.not_after)));
        let Some((role, not_after)) = known else {
            let peer = Peer {
                address,
                role: None,
                expires: None,
            };
            return (peer, Box::pin(sleep(ANONYMOUS_LIFETIME)));
        };
        let left = not_after.duration_since(self.clock.now());
        // What has run out in the meantime has nothing left.
        let expires = Instant::now() + Duration::try_from(left).unwrap_or_default();
        let peer = Peer {
            address,
            role: Some(role),
            expires: Some(expires),
        };
        (peer, Box::pin(sleep_until(expires + PARTING)))
    }

    async fn permit(&self, peer: &Peer, deadline: Instant) -> Option<Held> {
        let address = peer.address;
        if peer.role.is_none() {
            return Some(Held::Anonymous(self.anonymous.enter(address.ip())));
        }
        match timeout_at(deadline, Arc::clone(&self.known).acquire_owned()).await {
            // The semaphore is never closed.
            Ok(permit) => permit.ok().map(Held::Known),
            Err(_) => {
                tracing::warn!(%address, "no room for one more connection; closed it: raise max_connections in the configuration");
                None
            }
        }
    }
}
