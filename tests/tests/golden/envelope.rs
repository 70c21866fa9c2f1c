//! The DSSE envelope: a sensor's signature, as a detector checks it.

use claviger_detector::verify::{KeyRing, verify};
use claviger_proto::v1::Envelope;
use prost::Message as _;
use serde_json::json;

use super::files::Format;
use super::sealed::{batches, identity, sensor_id};

pub(crate) const FORMAT: Format = Format {
    name: "envelope",
    version: "v1",
    reads_older: true,
    encode: || {
        let [first, _] = batches();
        first.envelope.to_vec()
    },
    decode: |bytes| {
        let envelope = Envelope::decode(bytes).expect("an envelope");
        let public_key = identity().signing_public_key();
        let sensor = sensor_id().to_string().parse().expect("a UUID");
        let mut keys = KeyRing::default();
        assert!(keys.add(sensor, &public_key));
        let verified = verify(&envelope, &keys, sensor).expect("it verifies");
        assert!(verified.envelope == bytes, "what is kept is what came");
        let header = &verified.header;
        json!({
            "payload_type": envelope.payload_type,
            "key_id": envelope.signatures[0].key_id,
            "signature": hex::encode(&envelope.signatures[0].sig),
            "public_key": hex::encode(public_key),
            "sensor_id": header.sensor.to_string(),
            "boot_id": header.boot.to_string(),
            "first_sequence": header.first_sequence,
            "last_sequence": header.last_sequence,
            "batch_sha256": hex::encode(header.digest),
            "previous_batch_sha256": hex::encode(header.previous),
            "sealed_at": header.sealed_at.to_string(),
            "events": verified.events.len(),
        })
    },
};
