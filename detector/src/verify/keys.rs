//! Which signing key belongs to which sensor.

use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;

use claviger_proto::envelope::key_id;
use ed25519_dalek::VerifyingKey;
use uuid::Uuid;

/// A sensor's id, assigned at enrolment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SensorId(pub Uuid);

impl fmt::Display for SensorId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for SensorId {
    type Err = uuid::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Uuid::parse_str(text).map(Self)
    }
}

/// Signing keys by their id, each with its owner. Holds as many as sensors have registered.
#[derive(Clone, Debug, Default)]
pub struct KeyRing(HashMap<String, (SensorId, VerifyingKey)>);

impl KeyRing {
    /// Adds a key. Says whether the bytes are a usable Ed25519 public key: weak points are refused.
    #[must_use]
    pub fn add(&mut self, sensor: SensorId, public_key: &[u8; 32]) -> bool {
        match VerifyingKey::from_bytes(public_key) {
            Ok(key) if !key.is_weak() => {
                self.0.insert(key_id(public_key), (sensor, key));
                true
            }
            _ => false,
        }
    }

    /// The key of that id and its owner.
    #[must_use]
    pub fn get(&self, key_id: &str) -> Option<(SensorId, &VerifyingKey)> {
        self.0.get(key_id).map(|(sensor, key)| (*sensor, key))
    }

    /// Whether it holds no key.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
