//! The detector's own certificate authority: one ECDSA P-256 key, made when it is first needed, kept in the data directory.

use jiff::Timestamp;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, KeyUsagePurpose, PublicKeyData};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::certificate::{CertificateFacts, facts, parameters};
use super::{EnrolError, Role, certificate};
use crate::store::DataDir;

/// How long a sensor's certificate lives.
pub const SENSOR_CERTIFICATE_DAYS: u16 = 90;
const AUTHORITY_DAYS: u16 = 3_650;

const CERTIFICATE: &str = "ca.pem";
const KEY: &str = "ca.key";

/// Issues the certificates of this detector.
pub struct Authority {
    certificate: CertificateDer<'static>,
    issuer: Issuer<'static, KeyPair>,
}

/// A certificate that was just issued.
#[derive(Clone, Debug)]
pub(super) struct Issued {
    pub(super) der: CertificateDer<'static>,
    pub(super) pem: String,
    pub(super) serial: String,
    pub(super) facts: CertificateFacts,
}

impl std::fmt::Debug for Authority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Authority")
            .field("fingerprint", &hex::encode(self.fingerprint()))
            .finish_non_exhaustive()
    }
}

impl Authority {
    /// Loads the authority of a data directory; makes it where there is none.
    pub fn open(directory: &DataDir, now: Timestamp) -> Result<Self, EnrolError> {
        let _held = directory.lock_authority()?;
        if directory.read(CERTIFICATE)?.is_none() {
            make(directory, now)?;
        }
        load(directory)
    }

    /// Whether a data directory has one already.
    pub fn is_in(directory: &DataDir) -> Result<bool, EnrolError> {
        Ok(directory.read(CERTIFICATE)?.is_some())
    }

    /// SHA-256 of its certificate: what a join token pins.
    #[must_use]
    pub fn fingerprint(&self) -> [u8; 32] {
        Sha256::digest(&self.certificate).into()
    }

    /// Its certificate.
    #[must_use]
    pub fn certificate(&self) -> &CertificateDer<'static> {
        &self.certificate
    }

    /// Issues a client certificate for a public key.
    pub(super) fn issue_client(
        &self,
        key: &impl PublicKeyData,
        role: Role,
        now: Timestamp,
        days: u16,
    ) -> Result<Issued, EnrolError> {
        let mut parameters = parameters("Claviger client", now, days)?;
        certificate::for_client(&mut parameters, role)?;
        self.issue(&parameters, key, "client certificate")
    }

    /// Issues a server certificate for a public key.
    pub(super) fn issue_server(
        &self,
        key: &impl PublicKeyData,
        names: &[String],
        now: Timestamp,
        days: u16,
    ) -> Result<Issued, EnrolError> {
        let mut parameters = parameters("Claviger detector", now, days)?;
        certificate::for_server(&mut parameters, names)?;
        self.issue(&parameters, key, "server certificate")
    }

    fn issue(
        &self,
        parameters: &CertificateParams,
        key: &impl PublicKeyData,
        what: &'static str,
    ) -> Result<Issued, EnrolError> {
        let failed = |source| EnrolError::Certificate { what, source };
        let made = parameters.signed_by(key, &self.issuer).map_err(failed)?;
        let facts = facts(made.der()).ok_or_else(|| failed(rcgen::Error::CouldNotParseCertificate))?;
        let serial = parameters
            .serial_number
            .as_ref()
            .map_or_else(String::new, |serial| hex::encode(serial.to_bytes()));
        Ok(Issued {
            der: made.der().clone(),
            pem: made.pem(),
            serial,
            facts,
        })
    }
}

fn make(directory: &DataDir, now: Timestamp) -> Result<(), EnrolError> {
    let failed = |source| EnrolError::Certificate {
        what: "certificate authority",
        source,
    };
    let key = KeyPair::generate().map_err(failed)?;
    let mut apart = [0; 4];
    getrandom::fill(&mut apart).map_err(EnrolError::Random)?;
    let name = format!("Claviger detector authority {}", hex::encode(apart));
    let mut parameters = parameters(&name, now, AUTHORITY_DAYS)?;
    parameters.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let made = parameters.self_signed(&key).map_err(failed)?;
    // The certificate comes last: while it is not there, nobody has trusted the key.
    directory.write(KEY, Zeroizing::new(key.serialize_pem()).as_bytes())?;
    directory.write(CERTIFICATE, made.pem().as_bytes())?;
    Ok(())
}

fn load(directory: &DataDir) -> Result<Authority, EnrolError> {
    let unusable = |name, what| EnrolError::Authority { name, what };
    let pem = directory
        .read(CERTIFICATE)?
        .ok_or_else(|| unusable(CERTIFICATE, "missing"))?;
    let certificate =
        CertificateDer::from_pem_slice(&pem).map_err(|_| unusable(CERTIFICATE, "not a certificate"))?;
    let key = Zeroizing::new(directory.read(KEY)?.ok_or_else(|| unusable(KEY, "missing"))?);
    let key = std::str::from_utf8(&key)
        .ok()
        .and_then(|key| KeyPair::from_pem(key).ok());
    let key = key.ok_or_else(|| unusable(KEY, "not a private key"))?;
    let facts = facts(&certificate).ok_or_else(|| unusable(CERTIFICATE, "not a certificate"))?;
    if facts.public_key != key.subject_public_key_info() {
        return Err(unusable(KEY, "not the key of ca.pem"));
    }
    let issuer = Issuer::from_ca_cert_der(&certificate, key);
    let issuer = issuer.map_err(|source| EnrolError::Certificate {
        what: "certificate authority",
        source,
    })?;
    Ok(Authority { certificate, issuer })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn it_is_made_once_and_then_kept() {
        let root = tempfile::tempdir().expect("a directory");
        let directory = DataDir::create(root.path()).expect("creates");
        let now = Timestamp::now();
        let first = Authority::open(&directory, now).expect("opens").fingerprint();
        assert_eq!(
            Authority::open(&directory, now).expect("opens").fingerprint(),
            first
        );
    }

    #[test]
    fn what_is_broken_is_named_and_not_replaced() {
        let root = tempfile::tempdir().expect("a directory");
        let directory = DataDir::create(root.path()).expect("creates");
        let now = Timestamp::now();
        Authority::open(&directory, now).expect("opens");
        let other = KeyPair::generate().expect("generates").serialize_pem();
        for (key, what) in [(other.as_str(), "not the key"), ("nonsense", "not a private key")] {
            fs::write(directory.file(KEY), key).expect("writes");
            let error = Authority::open(&directory, now).expect_err("refuses").to_string();
            assert!(error.contains(what), "{error}");
        }
        fs::remove_file(directory.file(KEY)).expect("removes");
        assert!(
            Authority::open(&directory, now)
                .expect_err("refuses")
                .to_string()
                .contains("missing")
        );
    }
}
