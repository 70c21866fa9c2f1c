#![no_main]

use claviger_detector::verify::{KeyRing, verify};
use claviger_proto::envelope::{PAYLOAD_TYPE, key_id, pre_authentication_encoding};
use claviger_proto::v1::{Envelope, Signature};
use ed25519_dalek::{Signer as _, SigningKey};

libfuzzer_sys::fuzz_target!(|payload: &[u8]| {
    // Whatever it is, it is signed well: what is behind the signature must stand a sensor that was taken over.
    let sensor = "5e5e5e5e-5e5e-5e5e-5e5e-5e5e5e5e5e5e".parse().unwrap();
    let key = SigningKey::from_bytes(&[7; 32]);
    let public = key.verifying_key().to_bytes();
    let mut keys = KeyRing::default();
    assert!(keys.add(sensor, &public));
    let sig = key.sign(&pre_authentication_encoding(PAYLOAD_TYPE, payload));
    let signatures = vec![Signature {
        sig: sig.to_bytes().into(),
        key_id: key_id(&public),
    }];
    let envelope = Envelope {
        payload: payload.to_vec(),
        payload_type: PAYLOAD_TYPE.into(),
        signatures,
    };
    let _ = verify(&envelope, &keys, sensor);
});
