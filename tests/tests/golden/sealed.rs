//! The sample as a sensor seals it: two batches, of which the second builds on the first.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use claviger_sensor::sign::{BootId, ChainState, Identity, Sealed, Sealer, SensorId};
use zeroize::Zeroizing;

use super::sample;

/// Seed of the signing key: a key of tests alone, and the same for ever.
const SEED: [u8; 32] = *b"claviger's golden files, no key!";

pub(crate) fn sealed_at() -> SystemTime {
    UNIX_EPOCH + Duration::new(1_795_000_000, 123_456_789)
}

pub(crate) fn sensor_id() -> SensorId {
    SensorId::from_bytes([0x5e; 16])
}

/// The TLS half is made anew each time; nothing that is sealed depends on it.
pub(crate) fn identity() -> Identity {
    let key = rcgen::KeyPair::generate().expect("made");
    let certificate = rcgen::CertificateParams::new(vec![])
        .and_then(|parameters| parameters.self_signed(&key))
        .expect("signed");
    let (tls_key, der) = (Zeroizing::new(key.serialize_der()), certificate.der());
    Identity::new(sensor_id(), &SEED, tls_key, der.clone(), der.clone()).expect("valid")
}

pub(crate) fn batches() -> [Sealed; 2] {
    let chain = ChainState::start(BootId::from_bytes([0xb0; 16]));
    let mut sealer = Sealer::new(Arc::new(identity()), chain);
    let first = sealer
        .seal(sample::events(), sample::losses(), sealed_at())
        .expect("sealed");
    sealer.advance(&first);
    let later = sealed_at() + Duration::from_millis(100);
    let second = sealer
        .seal(vec![sample::status()], Vec::new(), later)
        .expect("sealed");
    [first, second]
}
