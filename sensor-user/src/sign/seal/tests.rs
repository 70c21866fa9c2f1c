use std::time::{Duration, UNIX_EPOCH};

use claviger_proto::envelope::CHAIN_START;
use ed25519_dalek::VerifyingKey;
use proptest::prelude::*;
use rustls::pki_types::CertificateDer;
use zeroize::Zeroizing;

use super::*;
use crate::sign::SensorId;

fn identity() -> Arc<Identity> {
    let key = rcgen::KeyPair::generate().expect("made");
    let certificate = rcgen::CertificateParams::new(vec![])
        .expect("valid")
        .self_signed(&key)
        .expect("signed");
    let der: CertificateDer<'static> = certificate.der().clone();
    let tls_key = Zeroizing::new(key.serialize_der());
    Arc::new(
        Identity::new(SensorId::from_bytes([1; 16]), &[2; 32], tls_key, der.clone(), der).expect("valid"),
    )
}

fn boot(number: u8) -> BootId {
    BootId::from_bytes([number; 16])
}

/// Checks a batch as a collector would and gives it back.
fn open(sealed: &Sealed, key: &[u8; 32]) -> Batch {
    let envelope = Envelope::decode(sealed.envelope.clone()).expect("an envelope");
    assert_eq!(envelope.payload_type, PAYLOAD_TYPE);
    assert_eq!(envelope.signatures.len(), 1);
    assert_eq!(batch_digest(&envelope.payload), sealed.digest);
    let signature = ed25519_dalek::Signature::from_slice(&envelope.signatures[0].sig).expect("64 bytes");
    VerifyingKey::from_bytes(key)
        .expect("a key")
        .verify_strict(
            &pre_authentication_encoding(PAYLOAD_TYPE, &envelope.payload),
            &signature,
        )
        .expect("the signature holds");
    assert_eq!(
        envelope.signatures[0].key_id,
        claviger_proto::envelope::key_id(key)
    );
    let batch = Batch::decode(envelope.payload.as_slice()).expect("a batch");
    assert_eq!(batch.events.len() as u64, sealed.events());
    for (sequence, event) in (batch.first_sequence..=batch.last_sequence).zip(&batch.events) {
        let id = event.id.as_ref().expect("an id");
        assert_eq!(
            (&id.sensor_id, &id.boot_id, id.sequence),
            (&batch.sensor_id, &batch.boot_id, sequence)
        );
    }
    batch
}

#[test]
fn nothing_is_not_sealed() {
    let sealer = Sealer::new(identity(), ChainState::start(boot(1)));
    assert_eq!(
        sealer.seal(vec![], vec![], UNIX_EPOCH).expect_err("refused").0,
        SealError::Empty
    );
}

#[test]
fn what_no_collector_takes_comes_back() {
    let sealer = Sealer::new(identity(), ChainState::start(boot(1)));
    let many = vec![Event::default(); MAX_BATCH_EVENTS + 1];
    let (why, back) = sealer.seal(many, vec![], UNIX_EPOCH).expect_err("refused");
    assert!(matches!(why, SealError::TooLarge { .. }));
    assert_eq!(back.len(), MAX_BATCH_EVENTS + 1);
    let mut huge = Event::default();
    huge.credential.get_or_insert_default().path = "x".repeat(MAX_ENVELOPE_BYTES);
    let (why, back) = sealer.seal(vec![huge], vec![], UNIX_EPOCH).expect_err("refused");
    assert!(matches!(why, SealError::TooLarge { bytes, .. } if bytes > MAX_ENVELOPE_BYTES));
    assert_eq!(back.len(), 1);
}

#[test]
fn losses_and_time_are_in_the_batch() {
    let identity = identity();
    let sealer = Sealer::new(Arc::clone(&identity), ChainState::start(boot(1)));
    let loss = LossCount {
        stage: "file_open".into(),
        reason: "ring_full".into(),
        count: 3,
    };
    let now = UNIX_EPOCH + Duration::from_millis(1_500);
    let sealed = sealer
        .seal(vec![Event::default()], vec![loss.clone()], now)
        .expect("sealed");
    let batch = open(&sealed, &identity.signing_public_key());
    assert_eq!(batch.losses, [loss]);
    assert_eq!(batch.sealed_at, Some(now.into()));
}

#[derive(Debug, Clone)]
enum Step {
    /// Seals so many events and keeps the batch.
    Keep(usize),
    /// Seals so many events, and the batch cannot be kept.
    Drop(usize),
    /// The sensor is started anew.
    Restart,
    /// The host is.
    Boot(u8),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (1..6_usize).prop_map(Step::Keep),
        1 => (1..6_usize).prop_map(Step::Drop),
        1 => Just(Step::Restart),
        1 => (0..4_u8).prop_map(Step::Boot),
    ]
}

proptest! {
    #[test]
    fn any_series_verifies(steps in prop::collection::vec(step(), 1..40)) {
        let identity = identity();
        let key = identity.signing_public_key();
        let mut sealer = Sealer::new(Arc::clone(&identity), ChainState::start(boot(0)));
        let mut kept: Vec<Batch> = Vec::new();
        for (number, step) in steps.into_iter().enumerate() {
            match step {
                Step::Keep(events) => {
                    let sealed = sealer.seal(vec![Event::default(); events], vec![], UNIX_EPOCH).expect("sealed");
                    sealer.advance(&sealed);
                    kept.push(open(&sealed, &key));
                }
                Step::Drop(events) => {
                    let _ = sealer.seal(vec![Event::default(); events], vec![], UNIX_EPOCH).expect("sealed");
                }
                Step::Restart => sealer = Sealer::new(Arc::clone(&identity), sealer.chain()),
                // A boot id never comes back: its number is made from the step's.
                Step::Boot(salt) => {
                    let fresh = boot(u8::try_from(number + 1).expect("few steps") ^ (salt << 6));
                    sealer = Sealer::new(Arc::clone(&identity), sealer.chain().in_boot(fresh));
                }
            }
        }
        let mut previous = CHAIN_START;
        let mut position: Option<(String, u64)> = None;
        for batch in kept {
            prop_assert_eq!(&batch.previous_batch_sha256, &previous);
            let expected = match &position {
                Some((boot, last)) if *boot == batch.boot_id => last + 1,
                _ => 1,
            };
            prop_assert_eq!(batch.first_sequence, expected);
            position = Some((batch.boot_id.clone(), batch.last_sequence));
            previous = batch_digest(&batch.encode_to_vec());
        }
    }
}
