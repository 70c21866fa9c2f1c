//! The encoded Batch, which is what is signed.

use claviger_proto::v1::{Batch, Envelope};
use prost::Message as _;
use serde_json::Value;

use super::files::Format;
use super::sealed::batches;

pub(crate) const FORMAT: Format = Format {
    name: "batch",
    version: "v1",
    reads_older: true,
    encode: || {
        let [first, _] = batches();
        Envelope::decode(first.envelope).expect("an envelope").payload
    },
    decode: |bytes| {
        let batch = Batch::decode(bytes).expect("a batch");
        assert!(
            batch.encode_to_vec() == bytes,
            "something of it is not understood"
        );
        serde_json::to_value(&batch).unwrap_or(Value::Null)
    },
};
