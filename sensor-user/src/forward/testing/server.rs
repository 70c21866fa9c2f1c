//! Serves gRPC over TLS on the loopback.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rustls::ServerConfig;
use tokio::io::{copy_bidirectional, duplex};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::{JoinHandle, JoinSet};
use tokio_rustls::TlsAcceptor;
use tokio_stream::wrappers::ReceiverStream;
use tonic::service::Routes;

/// A running server; it and its connections end when it is dropped.
pub(super) struct Server {
    pub(super) address: SocketAddr,
    connections: Arc<AtomicUsize>,
    accepting: JoinHandle<()>,
    serving: JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.accepting.abort();
        self.serving.abort();
    }
}

impl Server {
    pub(super) fn start(listener: TcpListener, tls: Arc<ServerConfig>, routes: Routes) -> Self {
        let address = listener.local_addr().expect("bound");
        let (accepted, incoming) = mpsc::channel(16);
        let connections = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&connections);
        let accepting = tokio::spawn(async move {
            let mut open = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                counted.fetch_add(1, Ordering::Relaxed);
                let (tls, accepted) = (TlsAcceptor::from(Arc::clone(&tls)), accepted.clone());
                open.spawn(async move {
                    let Ok(mut stream) = tls.accept(stream).await else {
                        return;
                    };
                    // tonic knows a pipe as a connection, and a TLS stream only with its own TLS.
                    let (mut near, far) = duplex(64 << 10);
                    if accepted.send(Ok::<_, std::io::Error>(far)).await.is_ok() {
                        let _ = copy_bidirectional(&mut stream, &mut near).await;
                    }
                });
            }
        });
        let server = tonic::transport::Server::builder()
            .add_routes(routes)
            .serve_with_incoming(ReceiverStream::new(incoming));
        let serving = tokio::spawn(async move { server.await.expect("serves") });
        Self {
            address,
            connections,
            accepting,
            serving,
        }
    }

    pub(super) fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }
}
