//! TLS 1.3, with a client certificate of our own authority or none.
//!
//! There is no resumption: a session that began with a certificate would outlive it.

use std::sync::Arc;

use jiff::Timestamp;
use rustls::client::danger::HandshakeSignatureValid;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::time_provider::TimeProvider;
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, RootCertStore, ServerConfig,
    SignatureScheme,
};

use super::ServeError;
use crate::clock::{SharedClock, to_the_second};
use crate::enrol::{TlsIdentity, facts};

/// The server's side of TLS.
pub(super) fn server_config(
    identity: TlsIdentity,
    authority: CertificateDer<'static>,
    clock: SharedClock,
) -> Result<ServerConfig, ServeError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut roots = RootCertStore::empty();
    roots.add(authority).map_err(ServeError::Tls)?;
    let inner = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
        .allow_unauthenticated()
        .build()
        .map_err(ServeError::Verifier)?;
    let time: Arc<dyn TimeProvider> = Arc::new(Time(clock));
    let mut config = ServerConfig::builder_with_details(provider, time)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(ServeError::Tls)?
        .with_client_cert_verifier(Arc::new(Verifier { inner }))
        .with_single_cert(identity.chain, identity.key)
        .map_err(ServeError::Tls)?;
    config.alpn_protocols = vec![b"h2".to_vec()];
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(config)
}

/// The detector's clock, as TLS wants it.
#[derive(Debug)]
struct Time(SharedClock);

impl TimeProvider for Time {
    fn current_time(&self) -> Option<UnixTime> {
        let seconds = u64::try_from(self.0.now().as_second()).ok()?;
        Some(UnixTime::since_unix_epoch(std::time::Duration::from_secs(
            seconds,
        )))
    }
}

/// The usual verifier, which also says in the log whose certificate has ended and when.
#[derive(Debug)]
struct Verifier {
    inner: Arc<dyn ClientCertVerifier>,
}

impl ClientCertVerifier for Verifier {
    fn offer_client_auth(&self) -> bool {
        self.inner.offer_client_auth()
    }

    fn client_auth_mandatory(&self) -> bool {
        self.inner.client_auth_mandatory()
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.inner.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        self.inner
            .verify_client_cert(certificate, intermediates, now)
            .inspect_err(|error| {
                use CertificateError::{Expired, ExpiredContext, NotValidYet, NotValidYetContext};
                let Error::InvalidCertificate(why) = error else {
                    return;
                };
                let Some(facts) = facts(certificate) else { return };
                let who = facts
                    .role
                    .map_or_else(|| "without a role".to_owned(), |role| role.to_string());
                match why {
                    Expired | ExpiredContext { .. } => {
                        let ended = to_the_second(facts.not_after);
                        tracing::warn!(
                            who,
                            ended,
                            "client certificate has expired; enrol the sensor again"
                        );
                    }
                    NotValidYet | NotValidYetContext { .. } => {
                        let begins = to_the_second(facts.not_before);
                        let now = i64::try_from(now.as_secs())
                            .ok()
                            .and_then(|now| Timestamp::from_second(now).ok());
                        let now = now.map(to_the_second).unwrap_or_default();
                        tracing::warn!(
                            who,
                            begins,
                            now,
                            "client certificate is not valid yet; this machine's clock may be behind"
                        );
                    }
                    _ => {}
                }
            })
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}
