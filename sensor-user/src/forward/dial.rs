//! A connection to the detector: TCP, TLS, HTTP/2.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tonic::transport::{Channel, Endpoint, Uri};
use tower::service_fn;

use super::watched::Watched;
use super::{ForwardError, diagnosis};
use crate::config::DetectorAddress;

/// How often an idle connection is asked whether it is still there, and how long the answer may take.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(10);
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(20);

/// Connects. The channel is good for this one connection: when it ends, dial again.
///
/// # Errors
/// Says at which step it failed.
pub async fn dial(
    address: &DetectorAddress,
    tls: Arc<ClientConfig>,
    limit: Duration,
) -> Result<Channel, ForwardError> {
    let timed_out = || ForwardError::TimedOut {
        address: address.clone(),
        seconds: limit.as_secs(),
    };
    timeout(limit, connect(address, tls))
        .await
        .map_err(|_| timed_out())?
}

async fn connect(address: &DetectorAddress, tls: Arc<ClientConfig>) -> Result<Channel, ForwardError> {
    let failed = |source| ForwardError::Connect {
        address: address.clone(),
        source,
    };
    let stream = TcpStream::connect((address.host(), address.port()))
        .await
        .map_err(failed)?;
    stream.set_nodelay(true).map_err(failed)?;
    let handshake = TlsConnector::from(tls).connect(address.server_name().clone(), stream);
    let stream = handshake.await.map_err(|why| ForwardError::Tls {
        address: address.clone(),
        reason: diagnosis::tls_error(&why)
            .map_or_else(|| why.to_string(), |tls| diagnosis::of_tls(tls, address)),
    })?;

    // The channel asks for a connection whenever it has none; there is this one and no other.
    let (stream, ending) = Watched::new(stream);
    let only = Arc::new(Mutex::new(Some(TokioIo::new(stream))));
    let connector = service_fn(move |_: Uri| {
        let stream = only.lock().unwrap_or_else(PoisonError::into_inner).take();
        let ending = ending.clone();
        async move {
            stream.ok_or_else(|| match ending.get() {
                Some(tls) => io::Error::other(tls),
                None => io::Error::new(io::ErrorKind::NotConnected, "the connection ended"),
            })
        }
    });
    // The authority only; the scheme says no more than that tonic is not to do the TLS.
    let http = |source| ForwardError::Http {
        address: address.clone(),
        source,
    };
    Endpoint::from_shared(format!("http://{address}"))
        .map_err(http)?
        .http2_keep_alive_interval(KEEPALIVE_INTERVAL)
        .keep_alive_timeout(KEEPALIVE_TIMEOUT)
        .keep_alive_while_idle(true)
        .connect_with_connector(connector)
        .await
        .map_err(http)
}
