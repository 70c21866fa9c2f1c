#![no_main]

use claviger_detector::verify::{KeyRing, verify};
use claviger_proto::v1::Envelope;
use ed25519_dalek::SigningKey;
use prost::Message as _;

libfuzzer_sys::fuzz_target!(|envelope: &[u8]| {
    // Sensor and key of the golden files, so that the seed verifies.
    let sensor = "5e5e5e5e-5e5e-5e5e-5e5e-5e5e5e5e5e5e".parse().unwrap();
    let key = SigningKey::from_bytes(b"claviger's golden files, no key!");
    let mut keys = KeyRing::default();
    assert!(keys.add(sensor, key.verifying_key().as_bytes()));
    let _ = Envelope::decode(envelope).map(|envelope| verify(&envelope, &keys, sensor));
});
