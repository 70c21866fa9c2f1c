//! One envelope in, one verified batch out.
//!
//! Order of the checks: cheap bounds, then who signed, then the signature, and only then is the payload decoded. So nobody without
//! a registered key reaches the decoder.

use claviger_proto::envelope::{PAYLOAD_TYPE, batch_digest, pre_authentication_encoding};
use claviger_proto::v1::{Batch, Envelope, Event};
use ed25519_dalek::Signature;
use prost::Message as _;
use uuid::Uuid;

use super::{Header, KeyRing, SensorId, SignedBatch, Verified, VerifyError};
use crate::clock;

/// The most bytes that the payload of one envelope may have.
pub const MAX_BATCH_BYTES: usize = 4 << 20;
/// The most events that one batch may hold.
pub const MAX_BATCH_EVENTS: usize = 10_000;

/// Checks an envelope that came from `peer`, or was kept as coming from it.
pub fn verify(
    envelope: &Envelope,
    keys: &KeyRing,
    peer: SensorId,
) -> Result<Verified<SignedBatch>, VerifyError> {
    check_signature(envelope, keys, peer)?;
    let digest = batch_digest(&envelope.payload);
    let batch = Batch::decode(envelope.payload.as_slice()).map_err(VerifyError::Undecodable)?;
    let header = header(&batch, digest, peer)?;
    check_events(&batch.events, &batch, header.boot)?;
    let envelope = envelope.encode_to_vec();
    Ok(Verified::new(SignedBatch {
        header,
        events: batch.events,
        envelope,
    }))
}

fn check_signature(envelope: &Envelope, keys: &KeyRing, peer: SensorId) -> Result<(), VerifyError> {
    let bytes = envelope.payload.len();
    if bytes > MAX_BATCH_BYTES {
        return Err(VerifyError::TooLarge {
            bytes,
            most: MAX_BATCH_BYTES,
        });
    }
    if envelope.payload_type != PAYLOAD_TYPE {
        return Err(VerifyError::PayloadType);
    }
    let [signature] = envelope.signatures.as_slice() else {
        return Err(VerifyError::SignatureCount {
            count: envelope.signatures.len(),
        });
    };
    let (owner, key) = keys.get(&signature.key_id).ok_or(VerifyError::UnknownKey)?;
    if owner != peer {
        return Err(VerifyError::KeyOfAnotherSensor { owner, peer });
    }
    let signature = Signature::from_slice(&signature.sig).map_err(|_| VerifyError::Signature)?;
    let signed = pre_authentication_encoding(PAYLOAD_TYPE, &envelope.payload);
    key.verify_strict(&signed, &signature)
        .map_err(|_| VerifyError::Signature)
}

fn header(batch: &Batch, digest: [u8; 32], peer: SensorId) -> Result<Header, VerifyError> {
    if batch.sensor_id != peer.to_string() {
        return Err(VerifyError::WrongSensor { peer });
    }
    let boot = Uuid::parse_str(&batch.boot_id).map_err(|_| VerifyError::BootId)?;
    if batch.boot_id != boot.to_string() {
        return Err(VerifyError::BootId);
    }
    let previous =
        batch
            .previous_batch_sha256
            .as_slice()
            .try_into()
            .map_err(|_| VerifyError::PreviousDigest {
                length: batch.previous_batch_sha256.len(),
            })?;
    let sealed_at = batch
        .sealed_at
        .as_ref()
        .and_then(clock::from_proto)
        .ok_or(VerifyError::SealedAt)?;
    Ok(Header {
        sensor: peer,
        boot,
        first_sequence: batch.first_sequence,
        last_sequence: batch.last_sequence,
        previous,
        digest,
        sealed_at,
    })
}

fn check_events(events: &[Event], batch: &Batch, boot: Uuid) -> Result<(), VerifyError> {
    if events.is_empty() {
        return Err(VerifyError::Empty);
    }
    if events.len() > MAX_BATCH_EVENTS {
        return Err(VerifyError::ManyEvents {
            events: events.len(),
            most: MAX_BATCH_EVENTS,
        });
    }
    let (first, last) = (batch.first_sequence, batch.last_sequence);
    let span = last.checked_sub(first).and_then(|span| span.checked_add(1));
    // Sequences count from 1, and SQLite's integers end where i64 does.
    if first == 0 || i64::try_from(last).is_err() || span != u64::try_from(events.len()).ok() {
        return Err(VerifyError::Count {
            first,
            last,
            events: events.len(),
        });
    }
    let boot = boot.to_string();
    for (position, (event, sequence)) in events.iter().zip(first..).enumerate() {
        let named = event.id.as_ref().is_some_and(|id| {
            id.sequence == sequence && id.boot_id == boot && id.sensor_id == batch.sensor_id
        });
        if !named {
            return Err(VerifyError::EventId { position });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::verify::testing::Signer;

    fn reason(result: &Result<Verified<SignedBatch>, VerifyError>) -> &'static str {
        result.as_ref().map_or_else(VerifyError::reason, |_| "accepted")
    }

    #[test]
    fn a_sealed_batch_is_verified_with_its_bytes_kept() {
        let mut signer = Signer::new(1);
        let envelope = signer.seal(3);
        let kept = envelope.encode_to_vec();
        let verified = verify(&envelope, &signer.ring(), signer.sensor).expect("verifies");
        assert_eq!(verified.header.last_sequence, 3);
        assert_eq!(verified.envelope, kept);
        let (_, _, events) = verified.split();
        assert_eq!(events.len(), 3);
    }

    #[test]
    fn each_fault_has_its_reason() {
        let mut signer = Signer::new(1);
        let other = Signer::new(2);
        let good = signer.seal(2);
        let mut both = signer.ring();
        assert!(both.add(other.sensor, &other.public_key()));
        let check = |envelope: Envelope, peer| reason(&verify(&envelope, &both, peer));
        assert_eq!(check(good.clone(), signer.sensor), "accepted");
        assert_eq!(check(good.clone(), other.sensor), "wrong_sensor");
        assert_eq!(reason(&verify(&good, &other.ring(), signer.sensor)), "signature");

        let with = |change: &dyn Fn(&mut Envelope)| {
            let mut envelope = good.clone();
            change(&mut envelope);
            check(envelope, signer.sensor)
        };
        assert_eq!(with(&|e| e.payload_type.push('x')), "malformed");
        assert_eq!(with(&|e| e.signatures.clear()), "malformed");
        assert_eq!(with(&|e| e.signatures.push(e.signatures[0].clone())), "malformed");
        assert_eq!(with(&|e| e.signatures[0].key_id.push('0')), "signature");
        assert_eq!(with(&|e| e.signatures[0].sig[5] ^= 1), "signature");
        assert_eq!(with(&|e| e.signatures[0].sig.truncate(63)), "signature");
        assert_eq!(with(&|e| e.payload[9] ^= 1), "signature");
        assert_eq!(with(&|e| e.payload = vec![0; MAX_BATCH_BYTES + 1]), "malformed");
    }

    #[test]
    fn a_signed_batch_of_the_wrong_shape_is_refused() {
        let check = |change: &dyn Fn(&mut Batch)| {
            let mut signer = Signer::new(1);
            let mut batch = signer.batch(3);
            change(&mut batch);
            let envelope = signer.sign(&batch);
            reason(&verify(&envelope, &signer.ring(), signer.sensor))
        };
        assert_eq!(check(&|_| ()), "accepted");
        assert_eq!(
            check(&|b| b.sensor_id = Signer::new(2).sensor.to_string()),
            "wrong_sensor"
        );
        assert_eq!(check(&|b| b.boot_id = "no".into()), "malformed");
        assert_eq!(check(&|b| b.boot_id = b.boot_id.to_uppercase()), "malformed");
        assert_eq!(check(&|b| b.previous_batch_sha256 = vec![0; 31]), "malformed");
        assert_eq!(check(&|b| b.sealed_at = None), "malformed");
        assert_eq!(check(&|b| b.events.clear()), "sequence");
        assert_eq!(check(&|b| b.first_sequence = 0), "sequence");
        assert_eq!(check(&|b| b.last_sequence = u64::MAX), "sequence");
        assert_eq!(
            check(&|b| (b.first_sequence, b.last_sequence) = (3, 1)),
            "sequence"
        );
        assert_eq!(check(&|b| b.events[1].id = None), "sequence");
        assert_eq!(check(&|b| b.events.swap(0, 1)), "sequence");
        assert_eq!(
            check(&|b| b.events = vec![Event::default(); MAX_BATCH_EVENTS + 1]),
            "malformed"
        );
    }

    #[test]
    fn signed_bytes_that_are_no_batch_are_refused() {
        let signer = Signer::new(1);
        let envelope = signer.sign_bytes(b"\xff\xff\xff".to_vec());
        assert_eq!(
            reason(&verify(&envelope, &signer.ring(), signer.sensor)),
            "malformed"
        );
    }

    proptest! {
        #[test]
        fn no_changed_byte_passes(position in 0_usize..400, bit in 0_u8..8) {
            let mut signer = Signer::new(1);
            let good = signer.seal(2);
            let mut bytes = good.encode_to_vec();
            let position = position % bytes.len();
            bytes[position] ^= 1 << bit;
            if let Ok(changed) = Envelope::decode(bytes.as_slice())
                && let Ok(verified) = verify(&changed, &signer.ring(), signer.sensor)
            {
                // Only the wrapping may differ (an unknown field, say); what was signed does not.
                prop_assert_eq!(verified.header.digest, batch_digest(&good.payload));
            }
        }

        #[test]
        fn arbitrary_signed_bytes_never_panic(payload in proptest::collection::vec(any::<u8>(), 0..200)) {
            let signer = Signer::new(1);
            let _ = verify(&signer.sign_bytes(payload), &signer.ring(), signer.sensor);
        }
    }
}
