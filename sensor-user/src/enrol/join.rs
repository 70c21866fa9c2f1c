//! The enrolment itself.

use std::time::Duration;

use claviger_proto::envelope::enrolment_proof_message;
use claviger_proto::v1::enrolment_client::EnrolmentClient;
use claviger_proto::v1::{EnrolRequest, EnrolResponse};
use ed25519_dalek::{Signer as _, SigningKey};
use rcgen::{CertificateParams, KeyPair, PublicKeyData as _};
use rustls::pki_types::CertificateDer;
use sha2::{Digest as _, Sha256};
use thiserror::Error;
use tokio::time::timeout;
use tonic::Code;
use x509_parser::parse_x509_certificate;
use zeroize::{Zeroize as _, Zeroizing};

use super::JoinToken;
use super::pin::pinned_config;
use crate::config::DetectorAddress;
use crate::forward::{ForwardError, client_config, dial};
use crate::sign::Identity;

/// Why the sensor could not be enrolled. Never holds the token's secret.
#[derive(Debug, Error)]
pub enum EnrolError {
    /// The detector answered something that cannot be used.
    #[error("the detector at {address} gave an answer that cannot be used: {reason}")]
    BadAnswer {
        /// Where.
        address: DetectorAddress,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The detector could not do it.
    #[error("the detector at {address} could not enrol this sensor: {message}")]
    Failed {
        /// Where.
        address: DetectorAddress,
        /// What it said.
        message: String,
    },
    /// Keys could not be made.
    #[error("cannot make keys")]
    Keys(#[source] rcgen::Error),
    /// The system gave no random numbers.
    #[error("the system gives no random numbers")]
    Random(#[source] getrandom::Error),
    /// The detector does not take the token.
    #[error("the detector at {address} refuses the token: {message}")]
    Refused {
        /// Where.
        address: DetectorAddress,
        /// What it said: unknown, used or expired, and what to do.
        message: String,
    },
    /// TLS could not be set up.
    #[error("cannot set up TLS")]
    Tls(#[source] rustls::Error),
    /// The detector cannot be reached, or is another one.
    #[error(transparent)]
    Unreachable(#[from] ForwardError),
}

/// Enrols with the detector, within `limit` for connecting and again for the answer.
///
/// # Errors
/// Says what to do. The token is used up only where the detector answered.
pub async fn join(
    address: &DetectorAddress,
    token: &JoinToken,
    host_name: &str,
    limit: Duration,
) -> Result<Identity, EnrolError> {
    let tls_key = KeyPair::generate().map_err(EnrolError::Keys)?;
    let certificate_request = CertificateParams::default()
        .serialize_request(&tls_key)
        .map_err(EnrolError::Keys)?
        .der()
        .to_vec();
    let mut seed = Zeroizing::new([0; 32]);
    getrandom::fill(seed.as_mut_slice()).map_err(EnrolError::Random)?;
    let signing_key = SigningKey::from_bytes(&seed);
    let proof = signing_key.sign(&enrolment_proof_message(token.id(), &certificate_request));
    let mut request = EnrolRequest {
        token_id: token.id().to_owned(),
        token_secret: token.secret().to_vec(),
        certificate_request,
        signing_public_key: signing_key.verifying_key().to_bytes().to_vec(),
        signing_proof: proof.to_bytes().to_vec(),
        host_name: host_name.to_owned(),
        kernel: rustix::system::uname().release().to_string_lossy().into_owned(),
        sensor_version: env!("CARGO_PKG_VERSION").to_owned(),
    };

    let tls = pinned_config(*token.pin()).map_err(EnrolError::Tls)?;
    let channel = dial(address, tls, limit)
        .await
        .inspect_err(|_| request.token_secret.zeroize())?;
    let answer = timeout(limit, EnrolmentClient::new(channel).enrol(request)).await;
    let timed_out = || ForwardError::TimedOut {
        address: address.clone(),
        seconds: limit.as_secs(),
    };
    let answer = answer.map_err(|_| timed_out())?.map_err(|status| {
        let (address, message) = (address.clone(), status.message().to_owned());
        match status.code() {
            Code::PermissionDenied | Code::Unauthenticated => EnrolError::Refused { address, message },
            Code::Unavailable => ForwardError::Status {
                address,
                code: status.code(),
                message,
            }
            .into(),
            _ => EnrolError::Failed { address, message },
        }
    })?;
    accept(answer.into_inner(), token, &tls_key, &seed).map_err(|reason| EnrolError::BadAnswer {
        address: address.clone(),
        reason,
    })
}

/// Checks that the answer is for this sensor and from this detector.
fn accept(
    answer: EnrolResponse,
    token: &JoinToken,
    tls_key: &KeyPair,
    seed: &[u8; 32],
) -> Result<Identity, &'static str> {
    let sensor_id = answer.sensor_id.parse().map_err(|_| "the sensor id is no UUID")?;
    if *token.pin() != *Sha256::digest(&answer.authority) {
        return Err("the authority is not the one of the token");
    }
    let (_, certificate) =
        parse_x509_certificate(&answer.certificate).map_err(|_| "the certificate cannot be read")?;
    if certificate.public_key().raw != tls_key.subject_public_key_info() {
        return Err("the certificate is for another key");
    }
    let identity = Identity::new(
        sensor_id,
        seed,
        Zeroizing::new(tls_key.serialize_der()),
        CertificateDer::from(answer.certificate),
        CertificateDer::from(answer.authority),
    )
    .map_err(|_| "the certificate cannot be read")?;
    client_config(&identity).map_err(|_| "certificate and key do not fit")?;
    Ok(identity)
}
