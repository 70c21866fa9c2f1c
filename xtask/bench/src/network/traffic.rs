//! Traffic on loopback, between two threads of this process.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::Instant;

use anyhow::Context as _;
use rustix::net::sockopt::set_socket_linger;
use rustls::pki_types::{PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection, StreamOwned};

/// Asked for in each TLS session: none of an identity provider, as most are not.
const NAME: &str = "service.example";

/// An identity provider's, which the sensor tells.
const PROVIDER: &str = "sts.amazonaws.com";

/// What is measured, each in nanoseconds of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Workload {
    Throughput,
    RequestResponse,
    Connect,
    Tls,
}

impl Workload {
    pub(super) const ALL: [Self; 4] = [Self::Throughput, Self::RequestResponse, Self::Connect, Self::Tls];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Throughput => "MiB of one long connection",
            Self::RequestResponse => "request and response, kept",
            Self::Connect => "new TCP connection",
            Self::Tls => "new TLS connection",
        }
    }

    /// How long it may take with the sensor, as a multiple of what it takes without.
    pub(super) const fn at_most(self) -> f64 {
        match self {
            Self::Throughput => 1.02,
            Self::RequestResponse | Self::Tls => 1.03,
            Self::Connect => 1.05,
        }
    }
}

/// Servers that answer as long as this process runs.
pub(super) struct Traffic {
    sink: SocketAddr,
    /// Takes connections, and nothing else.
    taker: SocketAddr,
    echo: SocketAddr,
    tls: SocketAddr,
    client: Arc<ClientConfig>,
    batches: usize,
    scale: usize,
}

impl Traffic {
    pub(super) fn new(quick: bool) -> anyhow::Result<Self> {
        let made = rcgen::generate_simple_self_signed([NAME.to_owned()]).context("making a certificate")?;
        let certificate = made.cert.der().clone();
        let key = PrivateKeyDer::try_from(made.signing_key.serialize_der())
            .map_err(|error| anyhow::anyhow!("making a key: {error}"))?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let server = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .context("versions of TLS")?
            .with_no_client_auth()
            .with_single_cert(vec![certificate.clone()], key)
            .context("the server's certificate")?;
        let mut roots = RootCertStore::empty();
        roots.add(certificate).context("trusting the certificate")?;
        let mut client = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .context("versions of TLS")?
            .with_root_certificates(roots)
            .with_no_client_auth();
        client.resumption = rustls::client::Resumption::disabled();
        let server = Arc::new(server);
        Ok(Self {
            sink: serve(|mut stream| {
                let mut buffer = vec![0; 1 << 16];
                while stream.read(&mut buffer).is_ok_and(|length| length > 0) {}
            })?,
            taker: take()?,
            echo: serve(|mut stream| {
                let mut buffer = [0; 64];
                while let Ok(length @ 1..) = stream.read(&mut buffer) {
                    if stream.write_all(&buffer[..length]).is_err() {
                        return;
                    }
                }
            })?,
            tls: serve(move |stream| {
                let Ok(session) = ServerConnection::new(Arc::clone(&server)) else {
                    return;
                };
                let mut stream = StreamOwned::new(session, stream);
                let mut byte = [0];
                if stream.read_exact(&mut byte).is_ok() {
                    // The client may be gone.
                    drop(stream.write_all(&byte).and_then(|()| stream.flush()));
                }
            })?,
            client: Arc::new(client),
            batches: if quick { 5 } else { 15 },
            scale: if quick { 1 } else { 4 },
        })
    }

    /// Nanoseconds of one, in batches.
    pub(super) fn measure(&self, workload: Workload) -> anyhow::Result<Vec<f64>> {
        (0..self.batches).map(|_| self.batch(workload)).collect()
    }

    fn batch(&self, workload: Workload) -> anyhow::Result<f64> {
        let count = self.scale
            * match workload {
                Workload::Throughput => 64,
                Workload::RequestResponse => 1_000,
                Workload::Connect => 100,
                Workload::Tls => 25,
            };
        let begun;
        match workload {
            Workload::Throughput => {
                let mut stream = TcpStream::connect(self.sink)?;
                let piece = vec![0x5a; 1 << 16];
                begun = Instant::now();
                for _ in 0..count * 16 {
                    stream.write_all(&piece)?;
                }
                stream.shutdown(Shutdown::Write)?;
                // It closes once it has all.
                stream.read_to_end(&mut Vec::new())?;
            }
            Workload::RequestResponse => {
                let mut stream = TcpStream::connect(self.echo)?;
                stream.set_nodelay(true)?;
                let mut buffer = [0x5a; 64];
                begun = Instant::now();
                for _ in 0..count {
                    stream.write_all(&buffer)?;
                    stream.read_exact(&mut buffer)?;
                }
            }
            Workload::Connect => {
                begun = Instant::now();
                for _ in 0..count {
                    // Until it was taken: else more come than the server's queue holds. It is reset, so that its port is free again, which may be seen here already.
                    match TcpStream::connect(self.taker) {
                        Ok(mut stream) => drop(stream.read(&mut [0])),
                        Err(error) if error.kind() == ErrorKind::ConnectionReset => {}
                        Err(error) => return Err(error.into()),
                    }
                }
            }
            Workload::Tls => {
                begun = Instant::now();
                for _ in 0..count {
                    let name = ServerName::try_from(NAME).context("a name")?;
                    let session = ClientConnection::new(Arc::clone(&self.client), name)?;
                    let tcp = TcpStream::connect(self.tls)?;
                    tcp.set_nodelay(true)?;
                    set_socket_linger(&tcp, Some(std::time::Duration::ZERO))?;
                    let mut stream = StreamOwned::new(session, tcp);
                    stream.write_all(&[1])?;
                    stream.flush()?;
                    stream.read_exact(&mut [0])?;
                }
            }
        }
        #[expect(clippy::cast_precision_loss, reason = "less than an hour")]
        Ok(begun.elapsed().as_nanos() as f64 / count as f64)
    }
}

/// The first message of a TLS session with an identity provider.
pub(super) fn hello() -> anyhow::Result<Vec<u8>> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let client = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .context("versions of TLS")?
        .with_root_certificates(RootCertStore::empty())
        .with_no_client_auth();
    let name = ServerName::try_from(PROVIDER).context("a name")?;
    let mut session = ClientConnection::new(Arc::new(client), name)?;
    let mut hello = Vec::new();
    session.write_tls(&mut hello)?;
    Ok(hello)
}

/// A server on loopback that resets what it takes.
fn take() -> anyhow::Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("listening on loopback")?;
    let address = listener.local_addr().context("where it listens")?;
    thread::Builder::new()
        .name("taker".to_owned())
        .spawn(move || {
            for stream in listener.incoming().flatten() {
                // Where that is refused it is closed another way.
                let _set = set_socket_linger(&stream, Some(std::time::Duration::ZERO));
            }
        })
        .context("starting a server")?;
    Ok(address)
}

/// A server on loopback, with a thread for each connection.
fn serve(answer: impl Fn(TcpStream) + Send + Sync + 'static) -> anyhow::Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("listening on loopback")?;
    let address = listener.local_addr().context("where it listens")?;
    let answer = Arc::new(answer);
    thread::Builder::new()
        .name("server".to_owned())
        .spawn(move || {
            for stream in listener.incoming().flatten() {
                let answer = Arc::clone(&answer);
                let begun = thread::Builder::new()
                    .stack_size(1 << 17)
                    .spawn(move || answer(stream));
                // One that cannot be served is closed.
                drop(begun);
            }
        })
        .context("starting a server")?;
    Ok(address)
}
