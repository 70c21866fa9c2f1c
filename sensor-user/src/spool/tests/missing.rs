//! Segments that are gone, or are something else than a file.

use std::fs;
use std::os::unix::fs::symlink;

use super::*;

const BATCHES: usize = 21;

fn fill(fs: &MemoryFs, spool: &mut Spool<MemoryFs>) -> Vec<Sealed> {
    let batches = (0..BATCHES).map(|_| append(spool, 3)).collect();
    assert!(fs.content(&segment_path(2)).len() > 72, "more than one segment");
    batches
}

/// What is told where everything behind the first `kept` batches is gone.
fn assert_told(lost: &[Lost], batches: &[Sealed], kept: usize) {
    let [lost] = lost else {
        panic!("not one loss: {lost:?}")
    };
    assert_eq!(lost.reason, LossReason::SpoolSegmentMissing);
    assert_eq!(lost.events, 3 * (batches.len() - kept) as u64);
    let last = batches.last().expect("some");
    assert_eq!(
        lost.range,
        Some(LostRange {
            boot_id: boot(1),
            first_sequence: batches[kept].first_sequence,
            last_sequence: last.last_sequence,
            last_digest: Some(last.digest),
        })
    );
}

fn assert_goes_on_and_tells_once(fs: &MemoryFs, mut spool: Spool<MemoryFs>, last: u64) {
    assert_eq!(
        append(&mut spool, 1).first_sequence,
        last + 1,
        "a sequence came again"
    );
    drop(spool);
    let (mut spool, recovery) = open(fs, &roomy());
    assert_eq!(
        (recovery.damaged_places, spool.take_lost()),
        (0, vec![]),
        "told twice"
    );
    assert!(!waiting(&mut spool).is_empty());
}

#[test]
fn all_segments_gone_after_a_clean_stop_are_told_exactly() {
    for acknowledged in [0, 1, 6] {
        let fs = MemoryFs::default();
        let (mut spool, _) = open(&fs, &roomy());
        let batches = fill(&fs, &mut spool);
        if acknowledged > 0 {
            let mark = waiting(&mut spool)[acknowledged - 1].mark;
            spool.acknowledge(&mark).expect("acknowledged");
        }
        spool.save().expect("saved");
        drop(spool);
        for number in 1..=BATCHES as u64 {
            // Some were removed when they were acknowledged.
            let _ = fs.remove(&segment_path(number));
        }
        let (mut spool, recovery) = open(&fs, &roomy());
        assert_eq!((recovery.damaged_places, recovery.missing_segments), (1, 1));
        assert_told(&spool.take_lost(), &batches, acknowledged);
        assert_goes_on_and_tells_once(&fs, spool, 3 * BATCHES as u64);
    }
}

#[test]
fn the_last_segment_gone_after_a_clean_stop_is_told_exactly() {
    let fs = MemoryFs::default();
    let (mut spool, _) = open(&fs, &roomy());
    let batches = fill(&fs, &mut spool);
    spool.save().expect("saved");
    let last = waiting(&mut spool).last().expect("some").mark.segment;
    drop(spool);
    fs.remove(&segment_path(last)).expect("removed");
    let (mut spool, _) = open(&fs, &roomy());
    let kept = waiting(&mut spool).len();
    assert_told(&spool.take_lost(), &batches, kept);
    assert_goes_on_and_tells_once(&fs, spool, 3 * BATCHES as u64);
}

/// No clean stop: what was appended before the last segment was begun is missed all the same, and so is that it was begun.
#[test]
fn after_a_kill_what_earlier_segments_held_is_told() {
    let fs = MemoryFs::default();
    let (mut spool, _) = open(&fs, &roomy());
    let batches = fill(&fs, &mut spool);
    let offered = waiting(&mut spool);
    let last = offered.last().expect("some").mark.segment;
    let before_last = offered.iter().filter(|batch| batch.mark.segment < last).count();
    crash(spool, &fs, 7);
    for number in 1..=last {
        fs.remove(&segment_path(number)).expect("removed");
    }
    let (mut spool, recovery) = open(&fs, &roomy());
    assert_eq!(recovery.missing_segments, 1);
    assert_told(&spool.take_lost(), &batches[..before_last], 0);
}

#[test]
fn segments_gone_behind_dropped_ones_are_told_without_a_count() {
    let fs = MemoryFs::default();
    let config = config(5_000, 2_000, WhenFull::DropOldest);
    let (mut spool, _) = open(&fs, &config);
    let batches: Vec<Sealed> = (0..BATCHES).map(|_| append(&mut spool, 3)).collect();
    spool.take_lost();
    append(&mut spool, 3);
    spool.save().expect("saved");
    drop(spool);
    for number in 1..=BATCHES as u64 {
        let _ = fs.remove(&segment_path(number));
    }
    let (mut spool, recovery) = open(&fs, &config);
    assert_eq!(recovery.missing_segments, 1);
    let lost = spool.take_lost();
    assert_eq!(
        (lost.len(), lost[0].reason, lost[0].events),
        (1, LossReason::SpoolSegmentMissing, 0)
    );
    let last = lost[0].range.expect("known").last_sequence;
    assert_eq!(last, batches[BATCHES - 1].last_sequence + 3);
}

/// A link is not followed, a directory is not stumbled over, and both are told like a segment that is gone.
#[test]
fn what_is_no_regular_file_is_never_read() {
    let plant: [fn(&Path, &Path); 3] = [
        |path, target| symlink(target, path).expect("linked"),
        |path, _| fs::create_dir(path).expect("made"),
        |path, _| {
            rustix::fs::mknodat(
                rustix::fs::CWD,
                path,
                rustix::fs::FileType::Fifo,
                rustix::fs::Mode::RUSR,
                0,
            )
            .expect("made");
        },
    ];
    for plant in plant {
        let (directory, elsewhere) = (
            tempfile::tempdir().expect("made"),
            tempfile::tempdir().expect("made"),
        );
        let clock = || Arc::new(At(UNIX_EPOCH));
        let open = || Spool::open(OsFileSystem, directory.path(), &roomy(), clock()).expect("opens");
        let (mut spool, _) = open();
        let first = sealed(chain_of(&spool, boot(1)), 5, 300);
        spool.append(&first).expect("appended");
        spool.save().expect("saved");
        drop(spool);
        let (path, target) = (
            segment::path(directory.path(), 1),
            elsewhere.path().join("segment"),
        );
        fs::rename(&path, &target).expect("moved");
        let before = fs::read(&target).expect("read");
        plant(&path, &target);

        let (mut spool, recovery) = open();
        assert_eq!((recovery.missing_segments, recovery.waiting_batches), (1, 0));
        let lost = spool.take_lost();
        assert_eq!(
            (lost[0].reason, lost[0].events),
            (LossReason::SpoolSegmentMissing, 5)
        );
        let next = sealed(chain_of(&spool, boot(1)), 1, 300);
        assert_eq!(next.first_sequence, 6);
        spool.append(&next).expect("appended");
        let mark = waiting(&mut spool)[0].mark;
        spool.acknowledge(&mark).expect("acknowledged");
        drop(spool);
        assert_eq!(fs::read(&target).expect("read"), before, "it was written to");
        let (mut spool, recovery) = open();
        assert_eq!((recovery.damaged_places, spool.take_lost()), (0, vec![]));
    }
}
