use std::sync::atomic::Ordering;

use claviger_proto::catalogue::Catalogue;
use claviger_proto::v1::{Actor, Credential, EventKind, Outcome as EventOutcome, Process};
use jiff::Timestamp;

use super::*;
use crate::clock::ManualClock;
use crate::store::DataDir;
use crate::store::db::NewSensor;
use crate::store::log::{Medium, OsMedium, testing::SmallDisk};
use crate::verify::testing::Signer;

struct Fixture {
    root: tempfile::TempDir,
    signer: Signer,
}

impl Fixture {
    fn new() -> Self {
        let fixture = Self {
            root: tempfile::tempdir().expect("a directory"),
            signer: Signer::new(1),
        };
        let mut database = Database::open(&fixture.directory().database()).expect("opens");
        let sensor = NewSensor {
            id: fixture.signer.sensor,
            host_name: "host".into(),
            kernel: "6.12".into(),
            sensor_version: "0.1.0".into(),
            signing_key: fixture.signer.public_key(),
            certificate_serial: "01".into(),
            certificate_not_after: Timestamp::MAX,
        };
        let write = database.write().expect("begins");
        write.add_sensor(&sensor, Timestamp::UNIX_EPOCH).expect("adds");
        write.commit().expect("commits");
        fixture
    }

    fn directory(&self) -> DataDir {
        DataDir::create(self.root.path()).expect("creates")
    }

    fn open(&self) -> Pipeline {
        self.open_on(Box::new(OsMedium))
    }

    fn open_on(&self, medium: Box<dyn Medium>) -> Pipeline {
        let directory = self.directory();
        let database = Database::open(&directory.database()).expect("opens");
        let indexed = database.rows().progress().expect("reads");
        let (log, recovery) = EvidenceLog::open(&directory.evidence(), medium, indexed).expect("opens");
        assert_eq!(recovery, Default::default());
        let now = Timestamp::from_second(1_795_000_001).expect("in range");
        Pipeline::new(
            log,
            database,
            State::new(Catalogue::shipped()),
            ManualClock::at(now),
        )
    }
}

fn read_by_cat() -> Event {
    let process = Process {
        pid: 5,
        start_time_ticks: 7,
        exe_path: "/usr/bin/cat".into(),
        ..Process::default()
    };
    Event {
        kind: EventKind::CredentialAccess.into(),
        outcome: EventOutcome::Succeeded.into(),
        actor: Some(
            Actor {
                process: Some(process),
                ..Actor::default()
            }
            .into(),
        ),
        credential: Some(Credential {
            kind: "aws_access_key".into(),
            ..Credential::default()
        }),
        ..Event::default()
    }
}

fn detections(pipeline: &Pipeline) -> Vec<String> {
    let findings = pipeline
        .database
        .rows()
        .findings_before(i64::MAX, 1000)
        .expect("reads");
    findings
        .into_iter()
        .rev()
        .map(|stored| stored.finding.detection)
        .collect()
}

fn batches(pipeline: &Pipeline) -> usize {
    pipeline
        .database
        .rows()
        .batches_after(0, 1000)
        .expect("reads")
        .len()
}

#[test]
fn a_batch_is_stored_and_detected_in_once() {
    let mut fixture = Fixture::new();
    let mut pipeline = fixture.open();
    let batch = fixture.signer.verified(vec![read_by_cat(), Event::default()]);
    let outcomes = pipeline.take(vec![batch.clone(), batch.clone()]).expect("takes");
    assert_eq!((outcomes[0].events.len(), outcomes[0].findings.len()), (2, 1));
    assert_eq!(
        (outcomes[1].events.len(), outcomes[1].findings.len()),
        (0, 0),
        "twice in one group"
    );
    assert!(
        pipeline.take(vec![batch]).expect("takes")[0].events.is_empty(),
        "and again later"
    );
    assert_eq!(
        (batches(&pipeline), detections(&pipeline)),
        (1, vec!["unusual_reader".to_owned()])
    );
    let at = pipeline
        .database
        .rows()
        .batches_after(0, 1)
        .expect("reads")
        .remove(0)
        .position;
    let kept = pipeline.log.reader().read(at).expect("reads");
    assert!(verify_stored(&kept, &fixture.signer.ring()).is_some());
}

#[test]
fn a_crash_between_fsync_and_commit_loses_nothing_and_doubles_nothing() {
    let mut fixture = Fixture::new();
    let mut pipeline = fixture.open();
    let first = fixture.signer.verified(vec![read_by_cat()]);
    pipeline.take(vec![first]).expect("takes");
    let mut other = read_by_cat();
    other
        .actor
        .as_mut()
        .and_then(|actor| actor.to_mut().process.as_mut())
        .expect("has one")
        .pid = 6;
    let second = fixture.signer.verified(vec![other]);
    pipeline.log.begin_group().expect("begins");
    pipeline.log.append(&second.envelope).expect("appends");
    pipeline.log.sync().expect("syncs");
    drop(pipeline);

    let mut pipeline = fixture.open();
    assert_eq!(pipeline.catch_up().expect("catches up"), 1);
    assert_eq!((batches(&pipeline), detections(&pipeline).len()), (2, 2));
    assert_eq!(pipeline.catch_up().expect("catches up"), 0);
    drop(pipeline);

    let mut pipeline = fixture.open();
    assert_eq!(pipeline.catch_up().expect("catches up"), 0);
    let outcomes = pipeline
        .take(vec![second])
        .expect("takes what the sensor sends again");
    assert!(outcomes[0].events.is_empty() && outcomes[0].fork_of.is_none());
    assert_eq!((batches(&pipeline), detections(&pipeline).len()), (2, 2));
}

#[test]
fn a_full_disk_keeps_all_or_nothing_of_a_group() {
    let mut fixture = Fixture::new();
    let disk = SmallDisk::with_room_for(700);
    let mut pipeline = fixture.open_on(Box::new(disk.clone()));
    let group: Vec<_> = (0..3)
        .map(|_| fixture.signer.verified(vec![read_by_cat(); 2]))
        .collect();
    let error = pipeline.take(group.clone()).expect_err("does not fit");
    assert!(error.is_full(), "{error}");
    assert_eq!((batches(&pipeline), detections(&pipeline).len()), (0, 0));
    disk.0.store(1 << 20, Ordering::SeqCst);
    let outcomes = pipeline.take(group).expect("fits now");
    assert_eq!(
        outcomes[0].findings.len(),
        1,
        "what was not stored was not reported either"
    );
    assert_eq!((batches(&pipeline), detections(&pipeline).len()), (3, 1));
    drop(pipeline);
    assert_eq!(fixture.open().catch_up().expect("catches up"), 0);
}

#[test]
fn a_fork_is_kept_once_refused_and_reported() {
    let mut fixture = Fixture::new();
    let mut pipeline = fixture.open();
    let mut twin = fixture.signer.clone();
    let batch = fixture.signer.verified(vec![Event::default()]);
    pipeline.take(vec![batch]).expect("takes");
    let fork = twin.verified(vec![read_by_cat()]);
    for _ in 0..2 {
        let outcomes = pipeline.take(vec![fork.clone()]).expect("takes");
        assert!(outcomes[0].fork_of.is_some() && outcomes[0].events.is_empty());
    }
    assert_eq!(detections(&pipeline), ["evidence_forked"]);
    assert_eq!(batches(&pipeline), 1);
    let records = pipeline
        .log
        .reader()
        .scan(Position::START)
        .expect("scans")
        .count();
    assert_eq!(records, 2, "the fork is kept, once");
}

#[test]
fn a_break_is_reported_and_stored_all_the_same() {
    let mut fixture = Fixture::new();
    let mut pipeline = fixture.open();
    let first = fixture.signer.verified(vec![Event::default()]);
    fixture.signer.verified(vec![Event::default()]);
    let third = fixture.signer.verified(vec![Event::default()]);
    let outcomes = pipeline.take(vec![first, third]).expect("takes");
    assert_eq!(outcomes[1].events.len(), 1);
    assert_eq!(detections(&pipeline), ["evidence_chain_broken"]);
}
