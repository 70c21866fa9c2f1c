//! The sensor's side of TLS. One crypto library, ring, passed explicitly everywhere.

use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::{ClientConfig, RootCertStore};
use thiserror::Error;

use crate::sign::Identity;

/// Why the identity cannot be used for TLS.
#[derive(Debug, Error)]
#[error("the enrolled keys and certificates do not fit: enrol again with `claviger-sensor enrol --force`")]
pub struct TlsError(#[source] rustls::Error);

/// The crypto library.
#[must_use]
pub fn tls_provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// Shows the enrolled certificate and trusts the enrolled authority alone.
///
/// # Errors
/// Where key, certificate and authority do not fit.
pub fn client_config(identity: &Identity) -> Result<Arc<ClientConfig>, TlsError> {
    let mut roots = RootCertStore::empty();
    roots.add(identity.authority().clone()).map_err(TlsError)?;
    let mut config = ClientConfig::builder_with_provider(tls_provider())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(TlsError)?
        .with_root_certificates(roots)
        .with_client_auth_cert(vec![identity.certificate().clone()], identity.tls_key())
        .map_err(TlsError)?;
    config.alpn_protocols = vec![b"h2".to_vec()];
    Ok(Arc::new(config))
}
