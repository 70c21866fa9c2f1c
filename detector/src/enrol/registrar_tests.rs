use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::{Signer as _, SigningKey};
use jiff::SignedDuration;
use rcgen::{CertificateParams, KeyPair, PublicKeyData as _};

use super::*;
use crate::enrol::{DEFAULT_TTL, facts, make_token};
use crate::store::DataDir;

struct Fixture {
    root: tempfile::TempDir,
    database: Database,
    authority: Authority,
    now: Timestamp,
}

fn fixture() -> Fixture {
    let root = tempfile::tempdir().expect("a directory");
    let directory = DataDir::create(root.path()).expect("creates");
    let now = Timestamp::from_second(1_795_000_000).expect("in range");
    let database = Database::open(&directory.database()).expect("opens");
    let authority = Authority::open(&directory, now).expect("opens");
    Fixture {
        root,
        database,
        authority,
        now,
    }
}

impl Fixture {
    fn token(&mut self, ttl: Duration) -> (String, Vec<u8>) {
        let made = make_token(&mut self.database, &self.authority, ttl, self.now).expect("makes");
        let parts: Vec<_> = made.text.split('.').collect();
        let ["clv1", id, secret, pin] = parts.as_slice() else {
            panic!("another form")
        };
        assert_eq!(*pin, hex::encode(self.authority.fingerprint()));
        assert_eq!(*id, made.id);
        (made.id.clone(), URL_SAFE_NO_PAD.decode(secret).expect("decodes"))
    }

    fn enrol(&mut self, request: &EnrolRequest) -> Result<EnrolResponse, EnrolError> {
        enrol(&mut self.database, &self.authority, request, self.now)
    }
}

fn request(token_id: &str, token_secret: &[u8], seed: u8) -> (EnrolRequest, KeyPair) {
    let tls = KeyPair::generate().expect("generates");
    let csr = CertificateParams::new(vec!["claviger.example".to_owned()]).expect("is fine");
    let certificate_request = csr.serialize_request(&tls).expect("serializes").der().to_vec();
    let key = SigningKey::from_bytes(&[seed; 32]);
    let proof = key.sign(&enrolment_proof_message(token_id, &certificate_request));
    let request = EnrolRequest {
        token_id: token_id.into(),
        token_secret: token_secret.to_vec(),
        certificate_request,
        signing_public_key: key.verifying_key().to_bytes().to_vec(),
        signing_proof: proof.to_bytes().to_vec(),
        host_name: "host".into(),
        kernel: "6.12".into(),
        sensor_version: "0.1.0".into(),
    };
    (request, tls)
}

#[test]
fn a_token_enrols_once() {
    let mut fixture = fixture();
    let (id, secret) = fixture.token(DEFAULT_TTL);
    let (request, tls) = request(&id, &secret, 1);
    let response = fixture.enrol(&request).expect("enrols");
    let said = facts(&response.certificate).expect("reads");
    assert_eq!(
        said.role,
        Some(Role::Sensor(response.sensor_id.parse().expect("an id")))
    );
    assert_eq!(said.public_key, tls.subject_public_key_info());
    assert!(said.names.is_empty(), "names of the request are ignored");
    assert_eq!(said.not_after.as_second(), response.certificate_not_after);
    assert!(said.not_before <= fixture.now - SignedDuration::from_hours(24));

    let error = fixture.enrol(&request).expect_err("is burnt");
    assert!(
        matches!(error, EnrolError::TokenUsed { at } if at == fixture.now),
        "{error}"
    );
    let sensors = fixture.database.rows().sensors().expect("reads");
    assert_eq!(sensors.len(), 1);
    assert!(
        fixture
            .database
            .rows()
            .keys(Some(sensors[0].id))
            .expect("reads")
            .get(&key_of(1))
            .is_some()
    );
}

fn key_of(seed: u8) -> String {
    claviger_proto::envelope::key_id(&SigningKey::from_bytes(&[seed; 32]).verifying_key().to_bytes())
}

#[test]
fn unknown_expired_and_wrong_tokens_are_told_apart() {
    let mut fixture = fixture();
    let (id, secret) = fixture.token(Duration::from_secs(60));
    let error = fixture
        .enrol(&request("ffff", &secret, 1).0)
        .expect_err("is unknown");
    assert!(matches!(error, EnrolError::TokenUnknown));
    let error = fixture
        .enrol(&request(&id, &[0; 32], 1).0)
        .expect_err("has another secret");
    assert!(matches!(error, EnrolError::TokenUnknown));
    fixture.now += SignedDuration::from_secs(60);
    let error = fixture
        .enrol(&request(&id, &secret, 1).0)
        .expect_err("has expired");
    assert!(matches!(error, EnrolError::TokenExpired { at } if at == fixture.now));
    assert!(error.to_string().contains("2026-"), "{error}");
}

#[test]
fn a_request_without_proof_leaves_the_token_unburnt() {
    let mut fixture = fixture();
    let (id, secret) = fixture.token(DEFAULT_TTL);
    let (good, _) = request(&id, &secret, 1);
    let (other, _) = request(&id, &secret, 2);
    let faults: [&dyn Fn(&mut EnrolRequest); 7] = [
        &|r| r.signing_proof.clone_from(&other.signing_proof),
        &|r| r.signing_proof.clear(),
        &|r| r.signing_public_key = vec![0; 32],
        &|r| r.signing_public_key.truncate(31),
        &|r| r.certificate_request.clone_from(&other.certificate_request),
        &|r| {
            // The proof is right, the request is not signed with the key in it.
            *r.certificate_request.last_mut().expect("has bytes") ^= 1;
            let message = enrolment_proof_message(&r.token_id, &r.certificate_request);
            r.signing_proof = SigningKey::from_bytes(&[1; 32])
                .sign(&message)
                .to_bytes()
                .to_vec();
        },
        &|r| r.host_name = "a\nb".into(),
    ];
    for (number, fault) in faults.iter().enumerate() {
        let mut bad = good.clone();
        fault(&mut bad);
        let error = fixture.enrol(&bad).expect_err("is refused");
        assert!(matches!(error, EnrolError::Malformed { .. }), "{number}: {error}");
    }
    fixture.enrol(&good).expect("the token is still good");
    let (id, secret) = fixture.token(DEFAULT_TTL);
    let error = fixture
        .enrol(&request(&id, &secret, 1).0)
        .expect_err("uses a key again");
    assert!(error.to_string().contains("registered already"), "{error}");
}

#[test]
fn the_secret_is_nowhere_on_disk() {
    let mut fixture = fixture();
    let made = make_token(
        &mut fixture.database,
        &fixture.authority,
        DEFAULT_TTL,
        fixture.now,
    )
    .expect("makes");
    assert!(!format!("{made:?}").contains(made.text.as_str()));
    let encoded = made.text.split('.').nth(2).expect("has one").to_owned();
    let raw = URL_SAFE_NO_PAD.decode(&encoded).expect("decodes");
    let hexed = hex::encode(&raw);
    let root = fixture.root.path();
    let mut files = 0;
    for entry in std::fs::read_dir(root).expect("lists") {
        let path = entry.expect("is there").path();
        if path.is_file() {
            let bytes = std::fs::read(&path).expect("reads");
            let has = |needle: &[u8]| bytes.windows(needle.len()).any(|window| window == needle);
            assert!(
                !has(&raw) && !has(encoded.as_bytes()) && !has(hexed.as_bytes()),
                "{}",
                path.display()
            );
            files += 1;
        }
    }
    assert!(files >= 4, "looked at database, log of it, and keys");
}
