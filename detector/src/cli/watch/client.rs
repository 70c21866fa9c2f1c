//! The way to the running detector.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use claviger_proto::v1::findings_client::FindingsClient;
use hyper_util::rt::TokioIo;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Status};

use super::super::exit::Unavailable;
use super::said;
use crate::enrol::TlsIdentity;
use crate::store::DataDir;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(20);
/// One event can be as large as a batch.
const MAX_MESSAGE_BYTES: usize = 16 << 20;

/// Connects to the detector that serves from that directory.
pub(super) async fn connect(directory: &DataDir) -> anyhow::Result<(SocketAddr, FindingsClient<Channel>)> {
    let not_running = || {
        let root = directory.root().display();
        Unavailable(format!(
            "no detector serves from {root}; start one with `claviger-detector serve`"
        ))
    };
    let listening = directory.read("listening")?.ok_or_else(not_running)?;
    let address = std::str::from_utf8(&listening)
        .ok()
        .and_then(|text| text.trim().parse().ok());
    let address = reachable(address.ok_or_else(not_running)?);
    let tls = TlsConnector::from(Arc::new(client_config(directory)?));
    let connector = tower::service_fn(move |_| {
        let tls = tls.clone();
        async move {
            // Its certificate always has this name, whatever address it listens on.
            let name = ServerName::try_from("localhost").map_err(std::io::Error::other)?;
            let stream = tls.connect(name, TcpStream::connect(address).await?).await?;
            Ok::<_, std::io::Error>(TokioIo::new(stream))
        }
    });
    let endpoint = Endpoint::from_shared(format!("http://{address}"))?
        .connect_timeout(CONNECT_TIMEOUT)
        .http2_keep_alive_interval(KEEPALIVE_INTERVAL)
        .keep_alive_while_idle(true);
    let channel = endpoint
        .connect_with_connector(connector)
        .await
        .with_context(not_running)?;
    Ok((
        address,
        FindingsClient::new(channel).max_decoding_message_size(MAX_MESSAGE_BYTES),
    ))
}

/// What a server that gives up says, as an error with its exit code.
pub(super) fn failed(status: &Status) -> anyhow::Error {
    match status.code() {
        Code::Unavailable => Unavailable(format!("the detector is gone: {}", said(status))).into(),
        _ => anyhow::anyhow!("the detector refused: {}", said(status)),
    }
}

/// An address to connect to, for one that is only good to listen on.
fn reachable(mut address: SocketAddr) -> SocketAddr {
    match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => address.set_ip(Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(ip) if ip.is_unspecified() => address.set_ip(Ipv6Addr::LOCALHOST.into()),
        _ => {}
    }
    address
}

fn client_config(directory: &DataDir) -> anyhow::Result<ClientConfig> {
    let missing = |name| {
        Unavailable(format!(
            "{name} is missing in the data directory; `serve` makes it when it starts"
        ))
    };
    let authority = directory.read("ca.pem")?.ok_or_else(|| missing("ca.pem"))?;
    let authority = CertificateDer::from_pem_slice(&authority).context("ca.pem is not a certificate")?;
    let operator =
        TlsIdentity::operator(directory)?.ok_or_else(|| missing("operator.pem or operator.key"))?;
    let mut roots = RootCertStore::empty();
    roots.add(authority).context("ca.pem is not usable")?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_root_certificates(roots)
        .with_client_auth_cert(operator.chain, operator.key)?;
    config.alpn_protocols = vec![b"h2".to_vec()];
    Ok(config)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_to_listen_on_becomes_one_to_connect_to() {
        for (listen, connect) in [
            ("0.0.0.0:1", "127.0.0.1:1"),
            ("[::]:1", "[::1]:1"),
            ("192.0.2.7:1", "192.0.2.7:1"),
        ] {
            let parse = |text: &str| text.parse::<SocketAddr>().expect("is one");
            assert_eq!(reachable(parse(listen)), parse(connect));
        }
    }
}
