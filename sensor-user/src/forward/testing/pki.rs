//! An authority for tests.

use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, date_time_ymd};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use zeroize::Zeroizing;

use crate::forward::tls_provider;
use crate::sign::{Identity, SensorId};

/// Years from and to which a certificate holds.
type Years = (i32, i32);

/// An authority for tests.
pub(crate) struct Authority {
    key: KeyPair,
    params: CertificateParams,
    pub(crate) certificate: CertificateDer<'static>,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let key = KeyPair::generate().expect("made");
        let mut params = CertificateParams::new(vec![]).expect("valid");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let certificate = params.self_signed(&key).expect("signed").der().clone();
        Self {
            key,
            params,
            certificate,
        }
    }

    fn issuer(&self) -> Issuer<'_, &KeyPair> {
        Issuer::from_params(&self.params, &self.key)
    }

    fn issue(&self, names: &[&str], (from, to): Years) -> (CertificateDer<'static>, Vec<u8>) {
        let key = KeyPair::generate().expect("made");
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names).expect("valid");
        params.not_before = date_time_ymd(from, 1, 1);
        params.not_after = date_time_ymd(to, 1, 1);
        let certificate = params.signed_by(&key, &self.issuer()).expect("signed");
        (certificate.der().clone(), key.serialize_der())
    }

    /// A certificate for a request.
    pub(crate) fn sign_request(&self, request: &[u8]) -> CertificateDer<'static> {
        let request = rcgen::CertificateSigningRequestParams::from_der(&request.into()).expect("a request");
        request.signed_by(&self.issuer()).expect("signed").der().clone()
    }

    /// An enrolled sensor.
    pub(crate) fn sensor(&self, years: Years) -> Identity {
        let (certificate, key) = self.issue(&[], years);
        let id = SensorId::from_bytes([7; 16]);
        Identity::new(
            id,
            &[9; 32],
            Zeroizing::new(key),
            certificate,
            self.certificate.clone(),
        )
        .expect("valid")
    }

    /// The server's side for 127.0.0.1.
    pub(crate) fn server(&self, years: Years, wants_client: bool) -> Arc<ServerConfig> {
        self.configure(years, wants_client, &self.certificate)
    }

    /// The server's side of one that shows another authority's certificate.
    pub(crate) fn server_showing(&self, years: Years, other: &CertificateDer<'static>) -> Arc<ServerConfig> {
        self.configure(years, false, other)
    }

    fn configure(
        &self,
        years: Years,
        wants_client: bool,
        shown: &CertificateDer<'static>,
    ) -> Arc<ServerConfig> {
        let (certificate, key) = self.issue(&["127.0.0.1"], years);
        let mut roots = RootCertStore::empty();
        roots.add(self.certificate.clone()).expect("added");
        let builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), tls_provider());
        let verifier = if wants_client {
            builder
        } else {
            builder.allow_unauthenticated()
        }
        .build()
        .expect("built");
        let mut config = ServerConfig::builder_with_provider(tls_provider())
            .with_protocol_versions(&[&rustls::version::TLS13])
            .expect("supported")
            .with_client_cert_verifier(verifier)
            .with_single_cert(vec![certificate, shown.clone()], PrivateKeyDer::Pkcs8(key.into()))
            .expect("fits");
        config.alpn_protocols = vec![b"h2".to_vec()];
        Arc::new(config)
    }
}
