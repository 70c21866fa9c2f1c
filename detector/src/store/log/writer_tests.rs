use std::sync::atomic::Ordering;

use proptest::prelude::*;

use super::super::OsMedium;
use super::super::medium::testing::SmallDisk;
use super::*;

fn open(directory: &Path, indexed: Position) -> (EvidenceLog, Recovery) {
    EvidenceLog::open_with(directory, Box::new(OsMedium), indexed, 256).expect("opens")
}

fn bodies(log: &EvidenceLog) -> Vec<Vec<u8>> {
    let scan = log.reader().scan(Position::START).expect("scans");
    scan.map(|record| record.expect("is whole").1).collect()
}

fn group(log: &mut EvidenceLog, bodies: &[&[u8]]) -> Result<Position, StoreError> {
    let start = log.begin_group()?;
    let append = |log: &mut EvidenceLog| {
        for body in bodies {
            log.append(body)?;
        }
        log.sync()
    };
    append(log).inspect_err(|_| log.roll_back(start).expect("rolls back"))
}

#[test]
fn records_are_found_again_over_segments_and_by_position() {
    let directory = tempfile::tempdir().expect("a directory");
    let (mut log, _) = open(directory.path(), Position::START);
    let mut positions = Vec::new();
    for number in 0..20_u8 {
        log.begin_group().expect("begins");
        positions.push(log.append(&[number; 60]).expect("appends"));
        log.sync().expect("syncs");
    }
    assert!(positions.last().expect("some").segment > 3);
    for (number, position) in positions.iter().enumerate() {
        assert_eq!(
            log.reader().read(*position).expect("reads"),
            vec![u8::try_from(number).expect("small"); 60]
        );
    }
    drop(log);
    let (log, recovery) = open(directory.path(), Position::START);
    assert_eq!(recovery, Recovery::default());
    assert_eq!(bodies(&log).len(), 20);
}

#[test]
fn a_full_disk_takes_nothing_and_spoils_nothing() {
    let directory = tempfile::tempdir().expect("a directory");
    let disk = SmallDisk::with_room_for(150);
    let (mut log, _) =
        EvidenceLog::open(directory.path(), Box::new(disk.clone()), Position::START).expect("opens");
    group(&mut log, &[&[1; 60]]).expect("fits");
    let error = group(&mut log, &[&[2; 20], &[3; 60]]).expect_err("does not fit");
    assert!(error.is_full(), "{error:?}");
    assert_eq!(bodies(&log), [vec![1; 60]]);
    disk.0.store(1000, Ordering::SeqCst);
    group(&mut log, &[&[4; 60]]).expect("fits again");
    assert_eq!(bodies(&log), [vec![1; 60], vec![4; 60]]);
}

#[test]
fn damage_in_the_middle_is_set_aside_and_damage_before_the_index_is_reported() {
    let directory = tempfile::tempdir().expect("a directory");
    let (mut log, _) = open(directory.path(), Position::START);
    for number in 0..3 {
        group(&mut log, &[&[number; 40]]).expect("fits");
    }
    let path = log.reader().path(1);
    drop(log);
    let mut bytes = fs::read(&path).expect("reads");
    bytes[48 + 20] ^= 1;
    fs::write(&path, &bytes).expect("writes");

    // Behind the index: the sensor will send it again, the bytes are kept for whoever wants to look.
    let copy = tempfile::tempdir().expect("a directory");
    fs::copy(&path, copy.path().join(path.file_name().expect("a name"))).expect("copies");
    let (log, recovery) = open(
        copy.path(),
        Position {
            segment: 1,
            offset: 48,
        },
    );
    let (lost, aside) = recovery.set_aside.expect("set aside");
    assert_eq!(lost, 96);
    assert_eq!(fs::read(aside).expect("is there"), bytes);
    assert_eq!(bodies(&log), [vec![0; 40]]);

    // Before it: a receipt was given, so nothing is cut, and whoever reads is told.
    let (log, recovery) = open(
        directory.path(),
        Position {
            segment: 1,
            offset: 144,
        },
    );
    assert_eq!(recovery, Recovery::default());
    let read: Vec<_> = log.reader().scan(Position::START).expect("scans").collect();
    let Some(Err(StoreError::Damaged { offset, .. })) = read.last() else {
        panic!("{read:?}")
    };
    assert_eq!(*offset, 48);
}

#[test]
fn a_log_that_lost_what_was_indexed_says_so_and_goes_on_elsewhere() {
    let directory = tempfile::tempdir().expect("a directory");
    let (mut log, _) = open(directory.path(), Position::START);
    let end = group(&mut log, &[&[1; 40], &[2; 40]]).expect("fits");
    fs::File::options()
        .write(true)
        .open(log.reader().path(1))
        .and_then(|f| f.set_len(48))
        .expect("truncates");
    drop(log);
    let (mut log, recovery) = open(directory.path(), end);
    assert!(recovery.shorter_than_index);
    assert_eq!(
        log.begin_group().expect("begins"),
        Position {
            segment: 2,
            offset: 0
        }
    );
}

proptest! {
    #[test]
    fn what_was_synced_survives_a_cut_at_any_byte_behind_it(
        kept in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 1..50), 0..6),
        torn in proptest::collection::vec(any::<u8>(), 1..50),
        cut in any::<prop::sample::Index>(),
        zeros in any::<bool>(),
    ) {
        let directory = tempfile::tempdir().expect("a directory");
        let (mut log, _) = EvidenceLog::open(directory.path(), Box::new(OsMedium), Position::START).expect("opens");
        for body in &kept {
            group(&mut log, &[body]).expect("fits");
        }
        let end = log.begin_group().expect("begins");
        let path = log.reader().path(end.segment);
        log.append(&torn).expect("appends");
        drop(log);
        let mut bytes = fs::read(&path).expect("reads");
        let whole = usize::try_from(end.offset).expect("small");
        let cut = whole + cut.index(bytes.len() - whole);
        if zeros { bytes[cut..].fill(0) } else { bytes.truncate(cut) }
        fs::write(&path, &bytes).expect("writes");
        let (mut log, recovery) =
            EvidenceLog::open(directory.path(), Box::new(OsMedium), Position::START).expect("opens");
        prop_assert!(recovery.set_aside.is_none() && !recovery.shorter_than_index);
        let found = bodies(&log);
        // Zeros may be what stood there anyway: then the record is whole.
        prop_assert!(found.len() - kept.len() <= usize::from(zeros));
        prop_assert_eq!(&found[..kept.len()], &kept[..]);
        group(&mut log, &[b"next"]).expect("fits");
        let found = bodies(&log);
        prop_assert_eq!(found.last().map(Vec::as_slice), Some(&b"next"[..]));
    }
}
