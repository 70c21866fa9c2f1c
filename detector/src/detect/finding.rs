//! What all findings have in common.

use claviger_proto::v1::{EventId, Finding};
use jiff::Timestamp;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use crate::clock;

/// The version of ATT&CK that the techniques of [`super::technique`] are from.
pub(super) const ATTACK_VERSION: &str = "17.1";

/// The id of a finding: a UUID (version 8) made of a hash of its detection, its first event, and what else tells it from others.
pub(super) fn id(detection: &str, event: &EventId, apart: &[u8]) -> String {
    let mut hash = Sha256::new();
    hash.update(b"claviger finding v1\0");
    for part in [
        detection.as_bytes(),
        event.sensor_id.as_bytes(),
        event.boot_id.as_bytes(),
        apart,
    ] {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    hash.update(event.sequence.to_le_bytes());
    let digest: [u8; 32] = hash.finalize().into();
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest[..16]);
    uuid::Builder::from_custom_bytes(bytes).into_uuid().to_string()
}

/// Notes when a finding was stored, and how long after its event that was.
pub fn stamp(finding: &mut Finding, stored: Timestamp) {
    let event_time = finding.event_time.as_ref().and_then(clock::from_proto);
    finding.elapsed_us = event_time.map_or(0, |event_time| clock::elapsed_us(event_time, stored));
    finding.time = Some(clock::to_proto(stored));
}

/// The id of an event of a batch.
pub(super) fn event_id(header: &crate::verify::Header, sequence: u64) -> EventId {
    let boot: &Uuid = &header.boot;
    EventId {
        sensor_id: header.sensor.to_string(),
        boot_id: boot.to_string(),
        sequence,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_the_same_again_and_differ_in_every_part() {
        let event = |sensor: &str, sequence| EventId {
            sensor_id: sensor.into(),
            boot_id: "b".into(),
            sequence,
        };
        let first = id("d", &event("s", 1), b"");
        assert_eq!(first, id("d", &event("s", 1), b""));
        assert_eq!(Uuid::parse_str(&first).expect("is one").get_version_num(), 8);
        for other in [
            id("e", &event("s", 1), b""),
            id("d", &event("t", 1), b""),
            id("d", &event("s", 2), b""),
        ] {
            assert_ne!(first, other);
        }
        assert_ne!(first, id("d", &event("s", 1), b"x"));
    }

    #[test]
    fn elapsed_is_from_the_event_to_the_storing() {
        let at = |ms| Timestamp::from_millisecond(ms).expect("in range");
        let mut finding = Finding {
            event_time: Some(clock::to_proto(at(1_000))),
            ..Finding::default()
        };
        stamp(&mut finding, at(1_043));
        assert_eq!(finding.elapsed_us, 43_000);
        stamp(&mut finding, at(900));
        assert_eq!(finding.elapsed_us, 0, "clocks that disagree give 0, not nonsense");
    }
}
