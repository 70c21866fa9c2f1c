//! The sensor's spool: a segment, and the ledger that stands beside it.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use claviger_proto::envelope::batch_digest;
use claviger_sensor::clock::{Clock, unix_milliseconds};
use claviger_sensor::config::{Spool as SpoolConfig, WhenFull};
use claviger_sensor::sign::{ChainState, unused_chain};
use claviger_sensor::spool::{Anchor, LossReason, Lost, OsFileSystem, Recovery, Spool, Waiting};
use serde_json::{Value, json};

use super::files::Format;
use super::sealed::{batches, sealed_at};

const SEGMENT_NAME: &str = "00000000000000000001.seg";
const LEDGER_NAME: &str = "acknowledged";
/// Behind the header, and what stands before a record's envelope.
const FIRST_ENVELOPE: usize = 72 + 12 + 104;

pub(crate) const SEGMENT: Format = Format {
    name: "spool_segment",
    version: "v1",
    reads_older: true,
    encode: || {
        let directory = filled();
        fs::read(directory.path().join(SEGMENT_NAME)).expect("the segment")
    },
    decode: |bytes| {
        let directory = tempfile::tempdir().expect("a directory");
        fs::write(directory.path().join(SEGMENT_NAME), bytes).expect("written");
        let (mut spool, recovery) = open(directory.path());
        assert_eq!((recovery.cut_bytes, recovery.damaged_places), (0, 0));
        let mut offered: Vec<Waiting> = Vec::new();
        while let Some(next) = spool
            .next_after(offered.last().map(|before| &before.mark))
            .expect("readable")
        {
            offered.push(next);
        }
        assert!(spool.take_lost().is_empty(), "nothing of it is damaged");
        offered.iter().map(batch_words).collect()
    },
};

/// Of a spool whose first batch is damaged and whose second was refused, with a batch that was lost before it had sequences.
pub(crate) const LEDGER: Format = Format {
    name: "spool_ledger",
    version: "v1",
    reads_older: true,
    encode: || {
        let directory = filled();
        let segment = directory.path().join(SEGMENT_NAME);
        let mut bytes = fs::read(&segment).expect("the segment");
        bytes[FIRST_ENVELOPE] ^= 1;
        fs::write(segment, bytes).expect("written");
        let (mut spool, recovery) = open(directory.path());
        assert_eq!(recovery.damaged_places, 1);
        let second = spool.next_after(None).expect("readable").expect("waits");
        spool.count_lost(LossReason::TooLarge, 1, 3);
        spool
            .reject(&second.mark, second.first_sequence)
            .expect("rejected");
        fs::read(directory.path().join(LEDGER_NAME)).expect("the ledger")
    },
    decode: |bytes| {
        // All segments that it speaks of are acknowledged, so it can stand alone.
        let directory = tempfile::tempdir().expect("a directory");
        fs::write(directory.path().join(LEDGER_NAME), bytes).expect("written");
        let (mut spool, recovery) = open(directory.path());
        assert_eq!(recovery, Recovery::default());
        let chain = spool.chain_state().expect("a chain");
        let acknowledged = spool.stats().acknowledged;
        json!({
            "acknowledged": acknowledged.map(|(boot, sequence)| (boot.to_string(), sequence)),
            "chain": {
                "boot_id": chain.boot_id.to_string(),
                "next_sequence": chain.next_sequence,
                "previous_digest": hex::encode(chain.previous_digest),
            },
            "lost": spool.take_lost().iter().map(lost_words).collect::<Vec<_>>(),
        })
    },
};

/// Of a spool that holds the sample, of which the detector has the first batch. Read where the spool itself is gone.
pub(crate) const ANCHOR: Format = Format {
    name: "spool_anchor",
    version: "v1.1",
    reads_older: true,
    encode: || {
        let directory = tempfile::tempdir().expect("a directory");
        let file = directory.path().join("chain");
        fs::write(&file, unused_chain(&[7; 32])).expect("written");
        let (mut spool, _) = open_anchored(&directory.path().join("spool"), &file);
        for sealed in batches() {
            spool.append(&sealed).expect("appended");
        }
        let first = spool.next_after(None).expect("readable").expect("waits");
        spool.acknowledge(&first.mark).expect("acknowledged");
        fs::read(&file).expect("the anchor")
    },
    decode: |bytes| {
        let directory = tempfile::tempdir().expect("a directory");
        let file = directory.path().join("chain");
        fs::write(&file, bytes).expect("written");
        let (mut spool, recovery) = open_anchored(&directory.path().join("spool"), &file);
        assert!(recovery.removed);
        let chain = spool.chain_state().expect("a chain");
        json!({
            "next_sequence": chain.next_sequence,
            "previous_digest": hex::encode(chain.previous_digest),
            "acknowledged": spool.stats().acknowledged.map(|(boot, sequence)| (boot.to_string(), sequence)),
            "lost": spool.take_lost().iter().map(lost_words).collect::<Vec<_>>(),
        })
    },
};

#[derive(Debug)]
struct At(SystemTime);

impl Clock for At {
    fn now(&self) -> SystemTime {
        self.0
    }
}

fn open(directory: &Path) -> (Spool<OsFileSystem>, Recovery) {
    let config = SpoolConfig {
        max_bytes: 64 << 20,
        segment_bytes: 8 << 20,
        when_full: WhenFull::DropOldest,
    };
    Spool::open(OsFileSystem, directory, &config, Arc::new(At(sealed_at()))).expect("opens")
}

/// The same with an anchor, in the boot of the sample.
fn open_anchored(directory: &Path, file: &Path) -> (Spool<OsFileSystem>, Recovery) {
    let config = SpoolConfig {
        max_bytes: 64 << 20,
        segment_bytes: 8 << 20,
        when_full: WhenFull::DropOldest,
    };
    let boot_id = batches().first().expect("some").boot_id;
    let anchor = Anchor {
        path: file.to_owned(),
        behind_all: ChainState::behind_all(boot_id, Duration::from_secs(1)),
        signing_key: [7; 32],
    };
    let clock = Arc::new(At(sealed_at()));
    Spool::open_anchored(OsFileSystem, directory, &config, clock, Some(anchor)).expect("opens")
}

/// A spool that holds the sample.
fn filled() -> tempfile::TempDir {
    let directory = tempfile::tempdir().expect("a directory");
    let (mut spool, _) = open(directory.path());
    for sealed in batches() {
        spool.append(&sealed).expect("appended");
    }
    directory
}

fn batch_words(batch: &Waiting) -> Value {
    json!({
        "boot_id": batch.mark.boot_id().to_string(),
        "first_sequence": batch.first_sequence,
        "last_sequence": batch.mark.last_sequence(),
        "batch_sha256": hex::encode(batch.mark.digest()),
        "sealed_at_ms": unix_milliseconds(batch.sealed_at),
        "envelope_sha256": hex::encode(batch_digest(&batch.envelope)),
    })
}

fn lost_words(lost: &Lost) -> Value {
    json!({
        "reason": lost.reason.word(),
        "batches": lost.batches,
        "events": lost.events,
        "range": lost.range.map(|range| json!({
            "boot_id": range.boot_id.to_string(),
            "first_sequence": range.first_sequence,
            "last_sequence": range.last_sequence,
            "last_digest": range.last_digest.map(hex::encode),
        })),
        "from_ms": lost.from_ms,
        "to_ms": lost.to_ms,
    })
}
