//! A segment of the detector's evidence log.

use std::fs;

use claviger_detector::store::log::{EvidenceLog, LogReader, OsMedium, Position};
use claviger_proto::envelope::batch_digest;
use serde_json::{Value, json};

use super::files::Format;
use super::sealed::batches;

const NAME: &str = "00000000000000000001.log";

pub(crate) const FORMAT: Format = Format {
    name: "evidence_log",
    version: "v1",
    reads_older: true,
    encode: || {
        let directory = tempfile::tempdir().expect("a directory");
        let (mut log, _) =
            EvidenceLog::open(directory.path(), Box::new(OsMedium), Position::START).expect("opens");
        log.begin_group().expect("begun");
        for sealed in batches() {
            log.append(&sealed.envelope).expect("appended");
        }
        log.sync().expect("synced");
        fs::read(directory.path().join(NAME)).expect("the segment")
    },
    decode: |bytes| {
        let directory = tempfile::tempdir().expect("a directory");
        fs::write(directory.path().join(NAME), bytes).expect("written");
        let records = LogReader::new(directory.path())
            .scan(Position::START)
            .expect("listed")
            .map(|record| {
                let (from, body, to) = record.expect("whole");
                json!({"from": from.offset, "to": to.offset, "body_sha256": hex::encode(batch_digest(&body))})
            });
        Value::Array(records.collect())
    },
};
