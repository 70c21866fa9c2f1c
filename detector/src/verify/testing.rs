//! A sensor's signing half, for the tests of every room: the only way to a `Verified` value there, too, is through the checks.

use claviger_proto::envelope::{
    CHAIN_START, PAYLOAD_TYPE, Sha256Digest, batch_digest, key_id, pre_authentication_encoding,
};
use claviger_proto::v1::{Batch, Envelope, Event, EventId, EventKind, Signature};
use ed25519_dalek::{Signer as _, SigningKey};
use prost::Message as _;
use uuid::Uuid;

use super::{KeyRing, SensorId, SignedBatch, Verified, verify};

/// Seals batches as a sensor does.
#[derive(Clone)]
pub(crate) struct Signer {
    key: SigningKey,
    pub(crate) sensor: SensorId,
    pub(crate) boot: Uuid,
    pub(crate) next: u64,
    pub(crate) previous: Sha256Digest,
    pub(crate) sealed_at_s: i64,
}

impl Signer {
    pub(crate) fn new(seed: u8) -> Self {
        Self {
            key: SigningKey::from_bytes(&[seed; 32]),
            sensor: SensorId(Uuid::from_bytes([seed; 16])),
            boot: Uuid::from_bytes([0xb0; 16]),
            next: 1,
            previous: CHAIN_START,
            sealed_at_s: 1_795_000_000,
        }
    }

    pub(crate) fn public_key(&self) -> [u8; 32] {
        self.key.verifying_key().to_bytes()
    }

    pub(crate) fn ring(&self) -> KeyRing {
        let mut ring = KeyRing::default();
        assert!(ring.add(self.sensor, &self.public_key()));
        ring
    }

    /// The next batch of so many events, not yet signed.
    pub(crate) fn batch(&mut self, events: usize) -> Batch {
        let status = Event {
            kind: EventKind::SensorStatus.into(),
            ..Event::default()
        };
        self.batch_of(vec![status; events])
    }

    /// The next batch of these events, not yet signed.
    pub(crate) fn batch_of(&mut self, mut events: Vec<Event>) -> Batch {
        let first = self.next;
        for event in &mut events {
            event.id = Some(EventId {
                sensor_id: self.sensor.to_string(),
                boot_id: self.boot.to_string(),
                sequence: self.next,
            });
            self.next += 1;
        }
        Batch {
            sensor_id: self.sensor.to_string(),
            boot_id: self.boot.to_string(),
            first_sequence: first,
            last_sequence: self.next - 1,
            previous_batch_sha256: self.previous.to_vec(),
            sealed_at: Some(prost_types::Timestamp {
                seconds: self.sealed_at_s,
                nanos: 0,
            }),
            losses: Vec::new(),
            events,
        }
    }

    pub(crate) fn sign(&mut self, batch: &Batch) -> Envelope {
        let payload = batch.encode_to_vec();
        self.previous = batch_digest(&payload);
        self.sign_bytes(payload)
    }

    pub(crate) fn sign_bytes(&self, payload: Vec<u8>) -> Envelope {
        let sig = self
            .key
            .sign(&pre_authentication_encoding(PAYLOAD_TYPE, &payload))
            .to_bytes()
            .to_vec();
        let signature = Signature {
            sig,
            key_id: key_id(&self.public_key()),
        };
        Envelope {
            payload,
            payload_type: PAYLOAD_TYPE.into(),
            signatures: vec![signature],
        }
    }

    pub(crate) fn seal(&mut self, events: usize) -> Envelope {
        let batch = self.batch(events);
        self.sign(&batch)
    }

    /// Seals these events and takes them through the checks.
    pub(crate) fn verified(&mut self, events: Vec<Event>) -> Verified<SignedBatch> {
        let batch = self.batch_of(events);
        let envelope = self.sign(&batch);
        verify(&envelope, &self.ring(), self.sensor).expect("what the signer seals verifies")
    }
}
