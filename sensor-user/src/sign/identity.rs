//! What enrolment gives a sensor: its id, a key that signs evidence, and another key with a certificate for TLS.

use std::fmt;

use claviger_proto::envelope::key_id;
use ed25519_dalek::{Signer as _, SigningKey};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use zeroize::Zeroizing;

use super::{SensorId, Validity, ValidityError};

/// An enrolled sensor. Its `Debug` form shows no key.
pub struct Identity {
    sensor_id: SensorId,
    signing_key: SigningKey,
    tls_key: Zeroizing<Vec<u8>>,
    certificate: CertificateDer<'static>,
    authority: CertificateDer<'static>,
    validity: Validity,
}

impl Identity {
    /// Puts together what enrolment gave. `signing_seed` is the Ed25519 seed, `tls_key` PKCS #8 in DER, `authority` the certificate
    /// of the detector's authority.
    ///
    /// # Errors
    /// Where the certificate cannot be read.
    pub fn new(
        sensor_id: SensorId,
        signing_seed: &[u8; 32],
        tls_key: Zeroizing<Vec<u8>>,
        certificate: CertificateDer<'static>,
        authority: CertificateDer<'static>,
    ) -> Result<Self, ValidityError> {
        let validity = Validity::of(&certificate)?;
        Ok(Self {
            sensor_id,
            signing_key: SigningKey::from_bytes(signing_seed),
            tls_key,
            certificate,
            authority,
            validity,
        })
    }

    /// The sensor's id.
    #[must_use]
    pub fn sensor_id(&self) -> SensorId {
        self.sensor_id
    }

    /// The name of the signing key.
    #[must_use]
    pub fn key_id(&self) -> String {
        key_id(self.signing_key.verifying_key().as_bytes())
    }

    /// The public half of the signing key.
    #[must_use]
    pub fn signing_public_key(&self) -> [u8; 32] {
        self.signing_key.verifying_key().to_bytes()
    }

    /// The TLS client certificate.
    #[must_use]
    pub fn certificate(&self) -> &CertificateDer<'static> {
        &self.certificate
    }

    /// The certificate of the authority that the detector's own must be from.
    #[must_use]
    pub fn authority(&self) -> &CertificateDer<'static> {
        &self.authority
    }

    /// From when to when the TLS client certificate holds.
    #[must_use]
    pub fn validity(&self) -> Validity {
        self.validity
    }

    /// The key of the TLS client certificate, for the TLS library.
    #[must_use]
    pub fn tls_key(&self) -> PrivateKeyDer<'static> {
        PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(self.tls_key.to_vec()))
    }

    pub(super) fn tls_key_bytes(&self) -> &[u8] {
        &self.tls_key
    }

    pub(super) fn signing_seed(&self) -> &[u8; 32] {
        self.signing_key.as_bytes()
    }

    pub(super) fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.signing_key.sign(message).to_bytes()
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity")
            .field("sensor_id", &self.sensor_id)
            .field("key_id", &self.key_id())
            .field("validity", &self.validity)
            .finish_non_exhaustive()
    }
}
