//! Evidence in, receipts out.

mod common;

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use claviger_detector::clock::SystemClock;
use claviger_detector::serve::start_with;
use claviger_detector::store::DataDir;
use claviger_detector::store::db::Database;
use claviger_detector::store::log::{LogReader, Medium, OsMedium, Position, SegmentFile};
use claviger_proto::v1::push_response::Answer;
use claviger_proto::v1::{Envelope, Event};
use common::{Sensor, detections, enrol, read_by_cat, start, status};
use jiff::SignedDuration;
use tonic::Code;

#[tokio::test]
async fn batches_get_receipts_in_order_and_a_duplicate_gets_the_same() {
    let root = tempfile::tempdir().expect("a directory");
    let detector = start(root.path()).await;
    let mut sensor = enrol(&detector, root.path(), 1).await;
    let mut stream = sensor.stream(root.path(), detector.address()).await;
    let envelopes: Vec<_> = (0..100)
        .map(|pid| sensor.seal(vec![read_by_cat(pid), status()]))
        .collect();
    for envelope in &envelopes {
        stream.send(envelope.clone()).await;
    }
    for batch in 1..=100 {
        let answer = stream.next().await.expect("is answered").answer;
        let Some(Answer::Receipt(receipt)) = answer else {
            panic!("{answer:?}")
        };
        assert_eq!(receipt.last_sequence, batch * 2);
    }
    assert_eq!(stream.receipt(envelopes[4].clone()).await, 10);
    drop(stream);
    detector.stop().await;
    assert_eq!(
        detections(root.path()),
        vec!["unusual_reader"; 100],
        "each once, though one batch came twice"
    );
}

#[tokio::test]
async fn what_is_no_evidence_is_refused_for_good_and_the_stream_goes_on() {
    let root = tempfile::tempdir().expect("a directory");
    let detector = start(root.path()).await;
    let mut sensor = enrol(&detector, root.path(), 1).await;
    let mut other = enrol(&detector, root.path(), 2).await;
    let mut stream = sensor.stream(root.path(), detector.address()).await;

    assert_eq!(
        stream.rejection(other.seal(vec![status()])).await,
        "signature",
        "only this sensor's keys are known"
    );
    let mut impostor = Sensor {
        signing: sensor.signing.clone(),
        ..other.clone()
    };
    assert_eq!(
        stream.rejection(impostor.seal(vec![status()])).await,
        "wrong_sensor"
    );
    let mut unregistered = Sensor {
        signing: other.signing.clone(),
        ..sensor.clone()
    };
    assert_eq!(
        stream.rejection(unregistered.seal(vec![status()])).await,
        "signature"
    );
    let mut changed = sensor.clone().seal(vec![status()]);
    changed.payload[7] ^= 1;
    assert_eq!(stream.rejection(changed).await, "signature");
    assert_eq!(stream.rejection(Envelope::default()).await, "malformed");
    let mut batch = sensor.clone().batch(vec![status(), status()]);
    batch.last_sequence += 1;
    assert_eq!(stream.rejection(sensor.clone().sign(&batch)).await, "sequence");
    let mut large = sensor.clone().seal(vec![status()]);
    large.payload = vec![0; (4 << 20) + 1];
    assert_eq!(stream.rejection(large).await, "malformed");

    assert_eq!(stream.receipt(sensor.seal(vec![status()])).await, 1);
    drop(stream);
    detector.stop().await;
    assert_eq!(detections(root.path()), [""; 0]);
}

#[tokio::test]
async fn a_fork_is_refused_and_reported_and_a_break_is_taken_and_reported() {
    let root = tempfile::tempdir().expect("a directory");
    let detector = start(root.path()).await;
    let mut sensor = enrol(&detector, root.path(), 1).await;
    let mut stream = sensor.stream(root.path(), detector.address()).await;
    let mut twin = sensor.clone();
    assert_eq!(stream.receipt(sensor.seal(vec![status()])).await, 1);
    assert_eq!(stream.rejection(twin.seal(vec![read_by_cat(1)])).await, "fork");
    sensor.seal(vec![status()]);
    assert_eq!(stream.receipt(sensor.seal(vec![status()])).await, 3);
    drop(stream);
    detector.stop().await;
    assert_eq!(
        detections(root.path()),
        ["evidence_forked", "evidence_chain_broken"]
    );
}

#[tokio::test]
async fn a_restart_in_the_middle_keeps_everything() {
    let root = tempfile::tempdir().expect("a directory");
    let mut detector = start(root.path()).await;
    let mut sensor = enrol(&detector, root.path(), 1).await;
    let mut unanswered: Vec<Envelope> = Vec::new();
    for round in 0..4 {
        let mut stream = sensor.stream(root.path(), detector.address()).await;
        // As after a reconnect: first what has no receipt, then what is new.
        let mut to_send = std::mem::take(&mut unanswered);
        to_send.extend((0..5).map(|batch| sensor.seal(vec![read_by_cat(round * 10 + batch)])));
        for envelope in &to_send {
            stream.send(envelope.clone()).await;
        }
        // Two answers are waited for; then the detector stops, whatever it has taken by then.
        for _ in 0..2 {
            stream.next().await.expect("is answered");
        }
        detector.stop().await;
        unanswered = to_send.split_off(2);
        detector = start(root.path()).await;
    }
    let mut stream = sensor.stream(root.path(), detector.address()).await;
    for envelope in unanswered {
        stream.receipt(envelope).await;
    }
    drop(stream);
    detector.stop().await;
    assert_eq!(
        detections(root.path()),
        vec!["unusual_reader"; 20],
        "no loss, no break, nothing twice"
    );
}

#[tokio::test]
async fn the_signed_bytes_are_kept_as_they_came() {
    use prost::Message as _;
    let root = tempfile::tempdir().expect("a directory");
    let detector = start(root.path()).await;
    let mut sensor = enrol(&detector, root.path(), 1).await;
    let mut stream = sensor.stream(root.path(), detector.address()).await;
    let sent: Vec<_> = (0..3).map(|_| sensor.seal(vec![status()])).collect();
    for envelope in &sent {
        stream.receipt(envelope.clone()).await;
    }
    let scan = LogReader::new(&root.path().join("evidence"))
        .scan(Position::START)
        .expect("scans");
    let kept: Vec<_> = scan
        .map(|record| Envelope::decode(record.expect("is whole").1.as_slice()).expect("decodes"))
        .collect();
    assert_eq!(kept, sent, "durable before the receipt");
    drop(stream);
    detector.stop().await;
}

#[tokio::test]
async fn stopping_ends_open_streams_with_a_word() {
    let root = tempfile::tempdir().expect("a directory");
    let detector = start(root.path()).await;
    let sensor = enrol(&detector, root.path(), 1).await;
    let mut stream = sensor.stream(root.path(), detector.address()).await;
    let stopping = tokio::spawn(detector.stop());
    let status = stream.next().await.expect_err("ends");
    assert_eq!(
        (status.code(), status.message()),
        (Code::Unavailable, "the detector is stopping")
    );
    stopping.await.expect("stops");
    assert!(!root.path().join("listening").exists());
}

#[tokio::test]
async fn a_clock_that_is_an_hour_ahead_is_noted() {
    let root = tempfile::tempdir().expect("a directory");
    let detector = start(root.path()).await;
    let mut sensor = enrol(&detector, root.path(), 1).await;
    sensor.sealed_at += SignedDuration::from_hours(1);
    let mut stream = sensor.stream(root.path(), detector.address()).await;
    stream
        .receipt(sensor.seal(vec![Event {
            time: None,
            ..status()
        }]))
        .await;
    let directory = DataDir::open(root.path()).expect("is there");
    let rows = Database::open_to_read(&directory.database()).expect("opens");
    let offset = rows.rows().sensors().expect("reads")[0]
        .clock_offset_ms
        .expect("is noted");
    assert!((3_500_000..=3_600_000).contains(&offset), "{offset}");
    drop(stream);
    detector.stop().await;
}

#[tokio::test]
async fn a_sensor_that_is_not_known_any_more_is_turned_away() {
    let root = tempfile::tempdir().expect("a directory");
    let detector = start(root.path()).await;
    let sensor = enrol(&detector, root.path(), 1).await;
    detector.stop().await;
    for name in ["detector.db", "detector.db-wal", "detector.db-shm"] {
        let _ = std::fs::remove_file(root.path().join(name));
    }
    let detector = start(root.path()).await;
    let refused = sensor
        .try_stream(root.path(), detector.address(), Some(&sensor.identity))
        .await;
    assert_eq!(
        refused.err().map(|status| status.code()),
        Some(Code::PermissionDenied)
    );
    detector.stop().await;
}

/// A disk that is full for as long as somebody says so; it takes half of what it is given before it notices.
#[derive(Clone, Debug)]
struct FullDisk(Arc<AtomicBool>);

#[derive(Debug)]
struct FullFile(Box<dyn SegmentFile>, FullDisk);

impl Medium for FullDisk {
    fn open(&self, path: &Path) -> io::Result<Box<dyn SegmentFile>> {
        Ok(Box::new(FullFile(OsMedium.open(path)?, self.clone())))
    }
}

impl SegmentFile for FullFile {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.1.0.load(Ordering::SeqCst) {
            self.0.append(&bytes[..bytes.len() / 2])?;
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.0.append(bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.0.sync()
    }

    fn truncate(&mut self, length: u64) -> io::Result<()> {
        self.0.truncate(length)
    }
}

#[tokio::test]
async fn a_full_disk_gives_no_receipt_and_spoils_nothing() {
    let root = tempfile::tempdir().expect("a directory");
    let disk = FullDisk(Arc::default());
    let medium = Box::new(disk.clone());
    let detector = start_with(&common::config(root.path()), Arc::new(SystemClock), medium)
        .await
        .expect("starts");
    let mut sensor = enrol(&detector, root.path(), 1).await;
    let mut stream = sensor.stream(root.path(), detector.address()).await;
    stream.receipt(sensor.seal(vec![read_by_cat(1)])).await;

    disk.0.store(true, Ordering::SeqCst);
    let envelope = sensor.seal(vec![read_by_cat(2)]);
    stream.send(envelope.clone()).await;
    let status = stream.next().await.expect_err("is not stored");
    assert_eq!(status.code(), Code::ResourceExhausted);
    assert!(status.message().contains("disk is full"), "{status:?}");

    disk.0.store(false, Ordering::SeqCst);
    let mut stream = sensor.stream(root.path(), detector.address()).await;
    stream.receipt(envelope).await;
    drop(stream);
    detector.stop().await;
    assert_eq!(detections(root.path()), ["unusual_reader"; 2]);
    let scan = LogReader::new(&root.path().join("evidence"))
        .scan(Position::START)
        .expect("scans");
    assert_eq!(scan.filter(Result::is_ok).count(), 2, "no half record is left");
    start(root.path()).await.stop().await;
}
