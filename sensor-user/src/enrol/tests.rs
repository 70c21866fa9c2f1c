//! Enrolment against a detector over TLS on the loopback.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use claviger_proto::envelope::enrolment_proof_message;
use claviger_proto::v1::EnrolRequest;
use ed25519_dalek::{Signature, VerifyingKey};
use sha2::{Digest as _, Sha256};
use tokio::net::TcpListener;

use super::{EnrolError, JoinToken, join};
use crate::config::DetectorAddress;
use crate::forward::testing::{Authority, Enroller};
use crate::sign::Identity;

const VALID: (i32, i32) = (2020, 2100);
const SECRET: [u8; 32] = [0x5a; 32];

fn token(authority: &Authority) -> JoinToken {
    let pin = hex::encode(Sha256::digest(&authority.certificate));
    format!("clv1.t1.{}.{pin}", URL_SAFE_NO_PAD.encode(SECRET))
        .parse()
        .expect("a token")
}

async fn enrol(address: SocketAddr, token: &JoinToken) -> Result<Identity, EnrolError> {
    let address: DetectorAddress = address.to_string().parse().expect("an address");
    join(&address, token, "web-1", Duration::from_secs(10)).await
}

async fn refused(address: SocketAddr, token: &JoinToken) -> String {
    let why = enrol(address, token).await.expect_err("refused");
    let said = format!("{why} {why:?}");
    assert!(
        !said.contains(&URL_SAFE_NO_PAD.encode(SECRET)) && !said.contains("90, 90"),
        "{said}"
    );
    why.to_string()
}

fn assert_proof(request: &EnrolRequest) {
    let key: [u8; 32] = request
        .signing_public_key
        .as_slice()
        .try_into()
        .expect("32 bytes");
    let message = enrolment_proof_message(&request.token_id, &request.certificate_request);
    let signature = Signature::from_slice(&request.signing_proof).expect("64 bytes");
    VerifyingKey::from_bytes(&key)
        .expect("a key")
        .verify_strict(&message, &signature)
        .expect("holds");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_becomes_an_identity() {
    let authority = Arc::new(Authority::new());
    let detector = Enroller::start(Arc::clone(&authority), authority.server(VALID, false)).await;
    let identity = enrol(detector.address(), &token(&authority))
        .await
        .expect("enrolled");
    let requests = detector.requests();
    assert_eq!(requests.len(), 1);
    assert_eq!(
        (requests[0].token_id.as_str(), requests[0].token_secret.as_slice()),
        ("t1", SECRET.as_slice())
    );
    assert_eq!(requests[0].host_name, "web-1");
    assert!(!requests[0].kernel.is_empty());
    assert_proof(&requests[0]);
    assert_eq!(
        identity.signing_public_key().as_slice(),
        requests[0].signing_public_key
    );
    assert_eq!(identity.authority(), &authority.certificate);
    // What is stored and loaded is the same and fits.
    let dir = tempfile::tempdir().expect("made");
    identity.store(dir.path(), false).expect("stored");
    let loaded = Identity::load(dir.path()).expect("loaded");
    assert_eq!(
        (loaded.sensor_id(), loaded.key_id()),
        (identity.sensor_id(), identity.key_id())
    );
    crate::forward::client_config(&loaded).expect("fits");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_detector_is_not_told_the_secret() {
    let (authority, other) = (Arc::new(Authority::new()), Arc::new(Authority::new()));
    let detector = Enroller::start(Arc::clone(&other), other.server(VALID, false)).await;
    let why = refused(detector.address(), &token(&authority)).await;
    assert!(
        why.contains("this is not the detector that made the token"),
        "{why}"
    );
    assert!(detector.requests().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stolen_authority_certificate_is_of_no_use() {
    // Shows the pinned certificate, but its own is from another authority.
    let (authority, thief) = (Arc::new(Authority::new()), Arc::new(Authority::new()));
    let tls = thief.server_showing(VALID, &authority.certificate);
    let detector = Enroller::start(Arc::clone(&thief), tls).await;
    refused(detector.address(), &token(&authority)).await;
    assert!(detector.requests().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_detectors_refusal_is_passed_on() {
    let authority = Arc::new(Authority::new());
    let detector = Enroller::start(Arc::clone(&authority), authority.server(VALID, false)).await;
    detector.refuse("the token was used at noon");
    let why = refused(detector.address(), &token(&authority)).await;
    // What to do then the detector says.
    assert!(
        why.ends_with("refuses the token: the token was used at noon"),
        "{why}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_for_another_key_is_not_taken() {
    let authority = Arc::new(Authority::new());
    let detector = Enroller::start(Arc::clone(&authority), authority.server(VALID, false)).await;
    detector.answer_for_another_key();
    let why = refused(detector.address(), &token(&authority)).await;
    assert!(why.contains("the certificate is for another key"), "{why}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_detector_that_is_not_there_is_said_to_be_away() {
    let authority = Authority::new();
    let address = TcpListener::bind(("127.0.0.1", 0))
        .await
        .expect("bound")
        .local_addr()
        .expect("bound");
    let why = enrol(address, &token(&authority))
        .await
        .expect_err("nothing there");
    assert!(matches!(why, EnrolError::Unreachable(_)), "{why}");
    assert!(why.to_string().contains("is the detector running?"), "{why}");
}
