//! A spool that is removed as a whole, while it is open and while it is not.

use std::fs;

use super::*;

const MOST: u64 = 1_000_000;

fn open_in(fs: &MemoryFs, number: u8) -> (Spool<MemoryFs>, Recovery) {
    open_anchored(fs, &roomy(), boot(number), MOST)
}

/// Fills a spool, has the detector take so many batches, and gives those that it has not.
fn filled(fs: &MemoryFs, acknowledged: usize) -> (Spool<MemoryFs>, Vec<Sealed>) {
    let (mut spool, recovery) = open_in(fs, 1);
    assert_eq!(recovery, Recovery::default(), "a sensor that was just enrolled");
    let mut batches: Vec<Sealed> = (0..21).map(|_| append(&mut spool, 3)).collect();
    if acknowledged > 0 {
        let mark = waiting(&mut spool)[acknowledged - 1].mark;
        spool.acknowledge(&mark).expect("acknowledged");
    }
    (spool, batches.split_off(acknowledged))
}

fn assert_exact(lost: &[Lost], unsent: &[Sealed]) {
    let [lost] = lost else {
        panic!("not one loss: {lost:?}")
    };
    let last = unsent.last().expect("some");
    assert_eq!(
        (lost.reason, lost.events),
        (LossReason::SpoolRemoved, 3 * unsent.len() as u64)
    );
    let range = LostRange {
        boot_id: boot(1),
        first_sequence: unsent[0].first_sequence,
        last_sequence: last.last_sequence,
        last_digest: Some(last.digest),
    };
    assert_eq!(lost.range, Some(range));
}

/// Also after kill -9: what was appended is in the anchor at once.
#[test]
fn a_spool_removed_between_two_runs_is_told_exactly_and_no_sequence_comes_again() {
    for acknowledged in [0, 6] {
        let fs = enrolled();
        let (spool, unsent) = filled(&fs, acknowledged);
        drop(spool);
        fs.end_process();
        fs.remove_all(&dir());
        let (mut spool, recovery) = open_in(&fs, 1);
        assert!(recovery.removed);
        assert_exact(&spool.take_lost(), &unsent);
        let next = append(&mut spool, 1);
        let last = unsent.last().expect("some");
        assert_eq!((next.first_sequence, next.previous_digest), (64, last.digest));
        drop(spool);
        let (mut spool, recovery) = open_in(&fs, 1);
        assert_eq!(
            (recovery.removed, spool.take_lost()),
            (false, vec![]),
            "told twice"
        );
        assert_eq!(waiting(&mut spool).len(), 1);
    }
}

#[test]
fn the_chain_goes_on_in_another_boot() {
    let fs = enrolled();
    let (mut spool, unsent) = filled(&fs, 0);
    spool.save().expect("saved");
    crash(spool, &fs, 3);
    fs.remove_all(&dir());
    let (mut spool, _) = open_in(&fs, 2);
    assert_exact(&spool.take_lost(), &unsent);
    let last = unsent.last().expect("some").digest;
    assert_eq!(chain_of(&spool, boot(2)).previous_digest, last);
}

/// The anchor may be older than what was sealed last: nothing is said of that which is not known.
#[test]
fn after_a_power_cut_the_last_digest_is_not_known() {
    let fs = enrolled();
    let (spool, _) = filled(&fs, 0);
    crash(spool, &fs, 3);
    fs.remove_all(&dir());
    let (mut spool, recovery) = open_in(&fs, 2);
    assert!(recovery.removed);
    let lost = spool.take_lost();
    assert_eq!((lost.len(), lost[0].reason), (1, LossReason::SpoolRemoved));
    assert_eq!(lost[0].range.expect("known").last_digest, None);
}

#[test]
fn a_spool_of_which_the_detector_has_all_is_told_to_be_removed_all_the_same() {
    let fs = enrolled();
    let (spool, unsent) = filled(&fs, 21);
    assert_eq!(unsent, []);
    drop(spool);
    fs.remove_all(&dir());
    let (mut spool, recovery) = open_in(&fs, 1);
    assert!(recovery.removed);
    assert_eq!(recovery.damaged_places, 0, "nothing is missing");
    let lost = spool.take_lost();
    assert_eq!(
        (lost.len(), lost[0].reason, lost[0].events, lost[0].range),
        (1, LossReason::SpoolRemoved, 0, None)
    );
    assert_eq!(append(&mut spool, 1).first_sequence, 64);
}

/// Losses that no gap had told were in the spool only.
#[test]
fn losses_that_were_not_told_are_counted_still() {
    let fs = enrolled();
    let (mut spool, _) = filled(&fs, 21);
    spool.count_lost(LossReason::TooLarge, 1, 5);
    spool.save().expect("saved");
    drop(spool);
    fs.remove_all(&dir());
    let (mut spool, _) = open_in(&fs, 1);
    let told: u64 = spool.take_lost().iter().map(|lost| lost.events).sum();
    assert_eq!(told, 5);
}

#[test]
fn without_spool_and_anchor_the_chain_goes_on_behind_all_that_can_have_been() {
    let fs = enrolled();
    let (spool, _) = filled(&fs, 6);
    drop(spool);
    fs.remove_all(&dir());
    fs.remove_all(Path::new("/identity"));
    let (mut spool, recovery) = open_in(&fs, 1);
    assert!(recovery.removed);
    let range = LostRange {
        boot_id: boot(1),
        first_sequence: 1,
        last_sequence: MOST,
        last_digest: None,
    };
    let lost = spool.take_lost();
    assert_eq!((lost.len(), lost[0].range, lost[0].events), (1, Some(range), 0));
    assert_eq!(append(&mut spool, 1).first_sequence, MOST + 1);
    drop(spool);
    let (mut spool, recovery) = open_in(&fs, 1);
    assert_eq!(
        (recovery.removed, spool.take_lost()),
        (false, vec![]),
        "told twice"
    );
    assert_eq!(append(&mut spool, 1).first_sequence, MOST + 2);
}

/// As a version made it that wrote down nowhere else where its chain stands.
fn filled_before_there_were_anchors() -> MemoryFs {
    let fs = MemoryFs::default();
    let (mut spool, _) = open(&fs, &roomy());
    for _ in 0..21 {
        append(&mut spool, 3);
    }
    let mark = waiting(&mut spool)[5].mark;
    spool.acknowledge(&mark).expect("acknowledged");
    fs
}

#[test]
fn a_spool_of_before_there_were_anchors_is_taken_over_and_not_said_to_be_removed() {
    for is_clean in [true, false] {
        let fs = filled_before_there_were_anchors();
        if is_clean {
            open(&fs, &roomy()).0.save().expect("saved");
        }
        fs.end_process();
        let (mut spool, recovery) = open_in(&fs, 1);
        assert_eq!((recovery.upgraded, recovery.removed), (true, false));
        assert_eq!(spool.take_lost(), [], "nothing is missing");
        assert_eq!(waiting(&mut spool).len(), 15);
        assert_eq!(append(&mut spool, 3).first_sequence, 64);
        drop(spool);
        let (spool, recovery) = open_in(&fs, 1);
        assert_eq!((recovery.upgraded, recovery.removed), (false, false));
        drop(spool);
        // It has an anchor now.
        fs.remove_all(&dir());
        let (mut spool, recovery) = open_in(&fs, 1);
        assert_eq!((recovery.upgraded, recovery.removed), (false, true));
        assert_eq!(append(&mut spool, 1).first_sequence, 67);
    }
}

/// Whoever takes the anchor away does not make an earlier version of it, whether he leaves the spool there, or takes it or its ledger too.
#[test]
fn an_anchor_that_was_there_once_is_missed_from_then_on() {
    type Removes = fn(&MemoryFs);
    let removes: [(&str, Removes); 3] = [
        ("the anchor", |_| ()),
        ("the ledger too", |fs| {
            fs.remove(&dir().join("acknowledged")).expect("removed");
        }),
        ("all", |fs| fs.remove_all(&dir())),
    ];
    for (what, also) in removes {
        for is_upgraded in [false, true] {
            let fs = if is_upgraded {
                filled_before_there_were_anchors()
            } else {
                let fs = enrolled();
                filled(&fs, 6);
                fs
            };
            if is_upgraded {
                assert!(open_in(&fs, 1).1.upgraded, "{what}");
            }
            fs.remove(&anchor_path()).expect("removed");
            also(&fs);
            let (mut spool, recovery) = open_in(&fs, 1);
            assert_eq!((recovery.upgraded, recovery.removed), (false, true), "{what}");
            let told = spool.take_lost();
            assert!(
                told.iter().any(|lost| lost.reason == LossReason::SpoolRemoved),
                "{what}: {told:?}"
            );
            assert_eq!(append(&mut spool, 1).first_sequence, MOST + 1, "{what}");
        }
    }
}

/// Whoever empties or damages the anchor, also one who has the spool begin anew, does not have sequences given a second time.
#[test]
fn an_anchor_that_was_emptied_or_damaged_is_as_good_as_removed() {
    type Spoils = fn(&MemoryFs);
    let empty = |fs: &MemoryFs| drop(fs.create(&anchor_path()).expect("emptied"));
    let spoils: [(&str, Spoils); 4] = [
        ("emptied", empty),
        ("made all zeros", |fs| {
            let mut file = fs.create(&anchor_path()).expect("emptied");
            file.write_all_at(&[0; 8192], 0).expect("written");
        }),
        ("cut short", |fs| {
            let content = fs.content(&anchor_path());
            let mut file = fs.create(&anchor_path()).expect("emptied");
            file.write_all_at(&content[..100], 0).expect("written");
        }),
        ("damaged", |fs| {
            let length = fs.content(&anchor_path()).len();
            (0..length).for_each(|at| fs.flip(&anchor_path(), at, 0x55));
        }),
    ];
    for (how, spoil) in spoils {
        for spool_too in [false, true] {
            let fs = enrolled();
            filled(&fs, 6);
            spoil(&fs);
            if spool_too {
                fs.remove_all(&dir());
            }
            let (mut spool, recovery) = open_in(&fs, 1);
            assert!(recovery.removed, "{how}, spool too: {spool_too}");
            let told = spool.take_lost();
            let removed = told.iter().find(|lost| lost.reason == LossReason::SpoolRemoved);
            let range = removed.and_then(|lost| lost.range).expect("a range");
            assert_eq!(range.first_sequence, if spool_too { 1 } else { 64 });
            assert_eq!(range.last_sequence, MOST);
            assert_eq!(append(&mut spool, 1).first_sequence, MOST + 1, "{how}");
            drop(spool);
            let (spool, recovery) = open_in(&fs, 1);
            assert!(!recovery.removed, "{how}: told twice");
            drop(spool);
        }
    }
}

/// As enrolment left it: also that is not taken for an unused one beside a spool that says otherwise.
#[test]
fn an_anchor_that_is_put_back_as_it_was_at_enrolment_is_missed_while_the_spool_is_there() {
    let fs = enrolled();
    filled(&fs, 6);
    let mut file = fs.create(&anchor_path()).expect("emptied");
    file.write_all_at(&unused_chain(&KEY), 0).expect("written");
    fs.remove(&segment_path(4)).expect("removed");
    let (mut spool, recovery) = open_in(&fs, 1);
    assert!(recovery.removed);
    assert_eq!(append(&mut spool, 1).first_sequence, MOST + 1);
}

/// The first batch is on the disk and the anchor does not know of it yet: nobody was at the files.
#[test]
fn a_kill_between_the_first_batch_and_the_anchor_is_no_removal() {
    let fs = enrolled();
    let (mut spool, _) = open_in(&fs, 1);
    append(&mut spool, 3);
    drop(spool);
    let mut file = fs.create(&anchor_path()).expect("emptied");
    file.write_all_at(&unused_chain(&KEY), 0).expect("written");
    fs.remove(&dir().join("acknowledged")).expect("removed");
    let (mut spool, recovery) = open_in(&fs, 1);
    assert_eq!((recovery.removed, spool.take_lost()), (false, vec![]));
    assert_eq!(append(&mut spool, 1).first_sequence, 4);
}

#[test]
fn an_anchor_removed_while_the_sensor_runs_is_there_again_whenever_the_power_is_cut() {
    for seed in 0..20 {
        let fs = enrolled();
        let (mut spool, _) = filled(&fs, 0);
        fs.remove(&anchor_path()).expect("removed");
        fs.sync_dir(Path::new("/identity")).expect("synced");
        append(&mut spool, 3);
        crash(spool, &fs, seed);
        let (_, recovery) = open_in(&fs, 2);
        assert!(!recovery.removed, "{seed}");
    }
}

/// The ledger knew nothing of what was in it after the last segment was begun.
#[test]
fn the_last_segment_and_the_ledger_gone_after_a_kill_are_told_exactly() {
    let fs = enrolled();
    let (mut spool, unsent) = filled(&fs, 0);
    let offered = waiting(&mut spool);
    let last = offered.last().expect("some").mark.segment;
    let kept = offered.iter().filter(|batch| batch.mark.segment < last).count();
    drop(spool);
    fs.end_process();
    fs.remove(&segment_path(last)).expect("removed");
    fs.remove(&dir().join("acknowledged")).expect("removed");
    let (mut spool, _) = open_in(&fs, 1);
    let lost = spool.take_lost();
    assert_eq!((lost.len(), lost[0].reason), (1, LossReason::SpoolSegmentMissing));
    assert_eq!(lost[0].events, 3 * (unsent.len() - kept) as u64);
    assert_eq!(append(&mut spool, 1).first_sequence, 64);
}

#[test]
fn a_spool_removed_while_it_is_open_is_made_anew_and_told_exactly() {
    let top = tempfile::tempdir().expect("made");
    let (dir, file) = (top.path().join("spool"), top.path().join("chain"));
    fs::write(&file, unused_chain(&KEY)).expect("written");
    let anchor = Anchor {
        path: file,
        behind_all: ChainState::behind_all(boot(1), Duration::from_secs(1)),
        signing_key: KEY,
    };
    let open = || {
        let clock = Arc::new(At(UNIX_EPOCH));
        Spool::open_anchored(OsFileSystem, &dir, &roomy(), clock, Some(anchor.clone())).expect("opens")
    };
    let append = |spool: &mut Spool<OsFileSystem>| {
        let batch = sealed(chain_of(spool, boot(1)), 3, 300);
        spool.append(&batch).expect("appended");
        batch
    };
    let (mut spool, _) = open();
    let gone: Vec<Sealed> = (0..9).map(|_| append(&mut spool)).collect();
    fs::remove_dir_all(&dir).expect("removed");
    let next = append(&mut spool);
    assert_eq!(spool.removals(), 1);
    assert_eq!(next.previous_digest, gone[8].digest);
    assert_exact(&merged(&spool.take_lost()), &gone);
    assert_eq!(digests(&waiting(&mut spool)), [next.digest]);
    append(&mut spool);
    assert_eq!(spool.removals(), 1, "noticed twice");
    // Moved away is as good as removed.
    fs::rename(&dir, top.path().join("elsewhere")).expect("moved");
    let last = append(&mut spool);
    assert_eq!(spool.removals(), 2);
    drop(spool);
    let (mut spool, recovery) = open();
    assert_eq!((recovery.removed, recovery.damaged_places), (false, 0));
    assert_eq!(digests(&waiting(&mut spool)), [last.digest]);
}

/// Noticed by who reads, where nothing is appended.
#[test]
fn an_older_segment_that_is_removed_is_passed_over_and_told() {
    let fs = enrolled();
    let (mut spool, batches) = filled(&fs, 0);
    let offered = waiting(&mut spool);
    let of_first = offered.iter().filter(|batch| batch.mark.segment == 1).count();
    fs.remove(&segment_path(1)).expect("removed");
    let left = waiting(&mut spool);
    assert_eq!(left.len(), batches.len() - of_first);
    assert_exact(&spool.take_lost(), &batches[..of_first]);
    assert_eq!(append(&mut spool, 1).first_sequence, 64);
}

/// With so many bytes left on the disk, has a spool be opened for the first time, and at most one batch sealed; then the disk has room enough.
fn filled_up(fs: &MemoryFs, room: u64, then: impl FnOnce(&mut Spool<MemoryFs>)) -> bool {
    let (mut spool, _) = open_in(fs, 1);
    fs.set_capacity(Some(fs.used_bytes() + room));
    let was_taken = spool.append(&sealed(chain_of(&spool, boot(1)), 1, 150)).is_ok();
    then(&mut spool);
    drop(spool);
    fs.set_capacity(None);
    was_taken
}

/// Where there is no room for the anchor, nothing is sealed.
#[test]
fn on_a_full_disk_no_sequence_is_given_that_a_removal_makes_forgotten() {
    for room in (0..5_000).step_by(8) {
        let fs = enrolled();
        let was_taken = filled_up(&fs, room, |_| fs.remove_all(&dir()));
        let (mut spool, _) = open_in(&fs, 1);
        let batch = append(&mut spool, 1);
        assert_eq!(
            batch.first_sequence,
            1 + u64::from(was_taken),
            "with {room} bytes"
        );
    }
}

/// The segment that follows a removed one cannot be begun: only the ledger says that those before it do not count.
#[test]
fn what_is_appended_after_a_removal_on_a_full_disk_counts_at_the_next_opening() {
    for room in (0..5_000).step_by(8) {
        let fs = enrolled();
        filled_up(&fs, room, |spool| {
            fs.remove_all(&dir());
            let _full = spool.append(&sealed(chain_of(spool, boot(1)), 1, 200));
        });
        let (mut spool, _) = open_in(&fs, 1);
        let batch = append(&mut spool, 1);
        drop(spool);
        let (mut spool, _) = open_in(&fs, 1);
        let kept = digests(&waiting(&mut spool));
        assert_eq!(kept.last(), Some(&batch.digest), "with {room} bytes");
    }
}

/// One loss of several that follow one another.
fn merged(lost: &[Lost]) -> Vec<Lost> {
    let mut losses = lost::Losses::default();
    for one in lost {
        losses.add(one.clone());
    }
    losses.take()
}
