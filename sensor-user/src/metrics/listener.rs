//! Who may read the metrics: HTTP/1 on an address of the configuration.
//!
//! It runs on a thread and a runtime of its own, so that whatever is done to it costs this thread and nobody else. A connection carries one
//! request, whose head must come within [`HEAD_LIMIT`] and have at most [`HEAD_BYTES_MAX`] bytes; it is closed after [`CONNECTION_LIMIT`], however far
//! it has come. At [`CONNECTIONS_MAX`] connections a further one is closed at once, which is counted.

use std::{
    io,
    net::{SocketAddr, TcpListener},
    sync::{Arc, atomic::Ordering},
    thread,
    time::{Duration, Instant},
};

use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    net::TcpStream,
    sync::Semaphore,
    time::{sleep, timeout},
};

use super::{Published, counts::Counts, request::answer};

/// Connections at a time. At the bound a further one is closed at once.
pub const CONNECTIONS_MAX: usize = 16;

/// How long the address may be taken before that is an error.
const TAKEN_PATIENCE: Duration = Duration::from_secs(2);

/// How long the head of a request may take.
const HEAD_LIMIT: Duration = Duration::from_secs(5);

/// How long a connection may take: a reader that is slower than this does without.
const CONNECTION_LIMIT: Duration = Duration::from_secs(10);

/// Bytes of a request's head.
const HEAD_BYTES_MAX: usize = 8 * 1024;

/// Fields in a request's head.
const HEAD_FIELDS_MAX: usize = 64;

/// Where the metrics cannot be served.
#[derive(Debug, thiserror::Error)]
#[error(
    "metrics.listen: cannot listen at {address}; is it taken by another program? set another, or leave it out for no metrics"
)]
pub struct ListenerError {
    address: SocketAddr,
    #[source]
    source: io::Error,
}

/// An address that is taken, and not yet served.
#[derive(Debug)]
pub struct Listener {
    address: SocketAddr,
    listener: TcpListener,
}

impl Listener {
    /// Takes the address. One that others can reach is warned about: the metrics say which credentials' uses are seen, and how many.
    ///
    /// # Errors
    /// Where it is taken, or not an address of this host.
    pub fn bind(address: SocketAddr) -> Result<Self, ListenerError> {
        let begun = Instant::now();
        let bound = loop {
            match TcpListener::bind(address) {
                // A sensor that was killed has it until the kernel has closed its descriptors.
                Err(why) if why.kind() == io::ErrorKind::AddrInUse && begun.elapsed() < TAKEN_PATIENCE => {
                    thread::sleep(Duration::from_millis(20));
                }
                bound => break bound,
            }
        };
        let bound = bound.and_then(|listener| {
            listener.set_nonblocking(true)?;
            Ok(listener)
        });
        let listener = bound.map_err(|source| ListenerError { address, source })?;
        if !address.ip().is_loopback() {
            tracing::warn!(
                %address,
                "metrics.listen can be reached from other hosts: whoever does learns how this host is watched, without a password or TLS"
            );
        }
        Ok(Self { address, listener })
    }

    /// Serves what is published, until the program ends.
    ///
    /// # Errors
    /// Where there can be no thread.
    pub fn serve(self, published: Published) -> Result<(), ListenerError> {
        let Self { address, listener } = self;
        let failed = |source| ListenerError { address, source };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(failed)?;
        thread::Builder::new()
            .name("claviger-metrics".into())
            .spawn(move || runtime.block_on(accept(listener, published)))
            .map_err(failed)?;
        tracing::info!(%address, "metrics at http://{address}/metrics");
        Ok(())
    }
}

async fn accept(listener: TcpListener, published: Published) {
    let listener = match tokio::net::TcpListener::from_std(listener) {
        Ok(listener) => listener,
        Err(error) => return tracing::error!(%error, "the metrics are not served"),
    };
    let counts = Arc::new(Counts::default());
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                // Such as no more descriptors: others may give some back.
                tracing::debug!(%error, "accepting a reader of the metrics");
                sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let Ok(place) = Arc::clone(&places).try_acquire_owned() else {
            counts.refused.fetch_add(1, Ordering::Relaxed);
            continue;
        };
        let (counts, published) = (Arc::clone(&counts), published.clone());
        counts.accepted.fetch_add(1, Ordering::Relaxed);
        counts.open.fetch_add(1, Ordering::Relaxed);
        tokio::spawn(async move {
            if timeout(CONNECTION_LIMIT, serve(stream, &published, &counts))
                .await
                .is_err()
            {
                tracing::debug!("a reader of the metrics was too slow");
            }
            counts.open.fetch_sub(1, Ordering::Relaxed);
            drop(place);
        });
    }
}

async fn serve(stream: TcpStream, published: &Published, counts: &Counts) {
    let service = service_fn(|request| {
        let answered = answer(&request, published, counts);
        async move { answered }
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_LIMIT)
        .max_buf_size(HEAD_BYTES_MAX)
        .max_headers(HEAD_FIELDS_MAX)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), service)
        .await;
    if let Err(error) = served {
        tracing::debug!(%error, "a reader of the metrics went away, or is none");
    }
}

#[cfg(test)]
mod tests;
