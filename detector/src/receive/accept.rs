//! Accepts connections and does their handshakes.
//!
//! Bounds: `max_connections` at the same time, counted from before the handshake; of these at most [`MAX_ANONYMOUS`] without a
//! certificate, each for [`ANONYMOUS_LIFETIME`], so that strangers cannot keep sensors out; [`HANDSHAKE_TIMEOUT`] for a
//! handshake; [`READY`] connections wait to be served. Beyond the first bound connections wait in the kernel, beyond the second
//! they are closed.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;

use super::peer::{Peer, PeerStream};
use super::stopping::Stopping;
use crate::enrol::facts;

const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
const MAX_ANONYMOUS: usize = 64;
/// Enough to enrol, or to ask for health.
const ANONYMOUS_LIFETIME: Duration = Duration::from_secs(60);
const READY: usize = 16;
/// How long to wait after the system gave no connection (no descriptors, no memory).
const RETRY: Duration = Duration::from_millis(200);

type Connections = mpsc::Sender<Result<PeerStream, std::io::Error>>;

/// Connections whose handshake is done.
pub(super) type Accepted = mpsc::Receiver<Result<PeerStream, std::io::Error>>;

struct Acceptor {
    tls: TlsAcceptor,
    anonymous: Arc<Semaphore>,
    ready: Connections,
}

/// Accepts until the detector stops.
pub(super) fn accept(
    listener: TcpListener,
    tls: TlsAcceptor,
    max_connections: u32,
    stopping: Stopping,
) -> Accepted {
    let (ready, accepted) = mpsc::channel(READY);
    let acceptor = Acceptor {
        tls,
        anonymous: Arc::new(Semaphore::new(MAX_ANONYMOUS)),
        ready,
    };
    let most = usize::try_from(max_connections)
        .unwrap_or(usize::MAX)
        .min(Semaphore::MAX_PERMITS);
    tokio::spawn(run(
        listener,
        Arc::new(acceptor),
        Arc::new(Semaphore::new(most)),
        stopping,
    ));
    accepted
}

async fn run(
    listener: TcpListener,
    acceptor: Arc<Acceptor>,
    connections: Arc<Semaphore>,
    mut stopping: Stopping,
) {
    loop {
        let next = async {
            // The semaphore is never closed.
            let permit = Arc::clone(&connections).acquire_owned().await.ok();
            (permit, listener.accept().await)
        };
        let (permit, accepted) = tokio::select! {
            next = next => next,
            () = stopping.wait() => return,
        };
        match accepted {
            Ok((stream, address)) => {
                tokio::spawn(shake_hands(Arc::clone(&acceptor), stream, address, permit));
            }
            Err(error) => {
                tracing::warn!(%error, "no connection can be accepted at the moment");
                sleep(RETRY).await;
            }
        }
    }
}

async fn shake_hands(
    acceptor: Arc<Acceptor>,
    stream: TcpStream,
    address: SocketAddr,
    permit: Option<OwnedSemaphorePermit>,
) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%address, %error, "TCP_NODELAY could not be set");
    }
    let stream = match timeout(HANDSHAKE_TIMEOUT, acceptor.tls.accept(stream)).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => {
            tracing::info!(%address, %error, "TLS handshake failed");
            return;
        }
        Err(_) => {
            tracing::info!(%address, seconds = HANDSHAKE_TIMEOUT.as_secs(), "TLS handshake took too long");
            return;
        }
    };
    let certificates = stream.get_ref().1.peer_certificates();
    let role = certificates.and_then(|chain| facts(chain.first()?)?.role);
    let anonymous = match role {
        Some(_) => None,
        None => match Arc::clone(&acceptor.anonymous).try_acquire_owned() {
            Ok(permit) => Some(permit),
            Err(_) => {
                tracing::warn!(%address, most = MAX_ANONYMOUS, "too many connections without a certificate; closed one");
                return;
            }
        },
    };
    let peer = Peer { address, role };
    let deadline = anonymous.is_some().then(|| Box::pin(sleep(ANONYMOUS_LIFETIME)));
    let connection = PeerStream {
        deadline,
        peer,
        stream,
        _permits: [permit, anonymous],
    };
    // Nobody takes it only when the detector stops.
    let _ = acceptor.ready.send(Ok(connection)).await;
}
