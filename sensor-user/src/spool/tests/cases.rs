use super::*;

#[test]
fn what_was_appended_is_offered_in_order_with_its_bytes() {
    let fs = MemoryFs::default();
    let (mut spool, recovery) = open(&fs, &roomy());
    assert_eq!(recovery, Recovery::default());
    let batches: Vec<Sealed> = (1..20).map(|events| append(&mut spool, events)).collect();
    let offered = waiting(&mut spool);
    assert_eq!(offered.len(), batches.len());
    for (offered, batch) in offered.iter().zip(&batches) {
        assert_eq!(offered.envelope, batch.envelope);
        assert_eq!(offered.first_sequence, batch.first_sequence);
        assert_eq!(offered.mark.last_sequence(), batch.last_sequence);
        assert_eq!(offered.sealed_at, batch.sealed_at);
    }
    let stats = spool.stats();
    assert_eq!(
        (stats.waiting_batches, stats.oldest_sealed_at),
        (19, Some(batches[0].sealed_at))
    );
}

#[test]
fn a_restart_changes_nothing() {
    for seed in 0..50 {
        let fs = MemoryFs::default();
        let (mut spool, _) = open(&fs, &roomy());
        let batches: Vec<Sealed> = (1..20).map(|events| append(&mut spool, events)).collect();
        let marks = waiting(&mut spool);
        spool.acknowledge(&marks[6].mark).expect("acknowledged");
        crash(spool, &fs, seed);
        let (mut spool, recovery) = open(&fs, &roomy());
        assert_eq!(
            recovery,
            Recovery {
                waiting_batches: 12,
                ..Recovery::default()
            }
        );
        let wanted: Vec<_> = batches[7..].iter().map(|batch| batch.digest).collect();
        assert_eq!(digests(&waiting(&mut spool)), wanted);
        let last = &batches[18];
        assert_eq!(
            spool.chain_state(),
            Some(ChainState::after(last.boot_id, last.last_sequence, last.digest))
        );
        assert_eq!(spool.take_lost(), []);
    }
}

#[test]
fn acknowledged_segments_are_deleted_and_the_chain_goes_on() {
    let fs = MemoryFs::default();
    let (mut spool, _) = open(&fs, &roomy());
    let last = (1..30)
        .map(|events| append(&mut spool, events))
        .last()
        .expect("some");
    let before = spool.stats().bytes;
    let marks = waiting(&mut spool);
    spool
        .acknowledge(&marks.last().expect("some").mark)
        .expect("acknowledged");
    let after = spool.stats().bytes;
    assert!(after < before / 4, "{after} of {before}");
    assert!(waiting(&mut spool).is_empty());
    // Even where every segment is gone.
    let names: Vec<_> = fs
        .list(&dir())
        .expect("listed")
        .into_iter()
        .filter(|name| name.ends_with(".seg"))
        .collect();
    for name in names {
        fs.remove(&dir().join(name)).expect("removed");
    }
    drop(spool);
    let (mut spool, _) = open(&fs, &roomy());
    assert_eq!(
        spool.chain_state(),
        Some(ChainState::after(last.boot_id, last.last_sequence, last.digest))
    );
    assert_eq!(spool.take_lost(), []);
    let next = append(&mut spool, 1);
    assert_eq!(next.first_sequence, last.last_sequence + 1);
    assert_eq!(digests(&waiting(&mut spool)), [next.digest]);
}

#[test]
fn only_one_process_at_a_time() {
    let fs = MemoryFs::default();
    let (spool, _) = open(&fs, &roomy());
    let why = try_open(&fs, &roomy()).expect_err("in use");
    assert!(matches!(why, SpoolError::InUse { .. }), "{why}");
    drop(spool);
    open(&fs, &roomy());
}

#[test]
fn the_oldest_go_when_it_is_full() {
    let fs = MemoryFs::default();
    let config = config(6_000, 1_500, WhenFull::DropOldest);
    let (mut spool, _) = open(&fs, &config);
    let batches: Vec<Sealed> = (0..40).map(|_| append(&mut spool, 2)).collect();
    assert!(spool.stats().bytes <= 6_000);
    let offered = digests(&waiting(&mut spool));
    let kept = offered.len();
    assert!(kept > 4 && kept < 40, "{kept}");
    assert_eq!(
        offered,
        batches[40 - kept..]
            .iter()
            .map(|batch| batch.digest)
            .collect::<Vec<_>>()
    );
    // The loss outlives a crash, and is one range that joins what is left.
    crash(spool, &fs, 3);
    let (mut spool, _) = open(&fs, &config);
    let lost = spool.take_lost();
    assert_eq!(lost.len(), 1, "{lost:?}");
    let last_lost = &batches[39 - kept];
    assert_eq!(lost[0].reason, LossReason::SpoolFull);
    assert_eq!(
        (lost[0].batches, lost[0].events),
        (40 - kept as u64, (40 - kept as u64) * 2)
    );
    let range = lost[0].range.expect("known");
    assert_eq!(
        (range.first_sequence, range.last_sequence),
        (1, last_lost.last_sequence)
    );
    assert_eq!(range.last_digest, Some(last_lost.digest));
    assert_eq!(spool.lost_totals()[&LossReason::SpoolFull], lost[0].events);
}

#[test]
fn a_half_acknowledged_segment_loses_its_other_half() {
    let fs = MemoryFs::default();
    let config = config(3_000, 1_500, WhenFull::DropOldest);
    let (mut spool, _) = open(&fs, &config);
    let batches: Vec<Sealed> = (0..3).map(|_| append(&mut spool, 2)).collect();
    let marks = waiting(&mut spool);
    spool.acknowledge(&marks[0].mark).expect("acknowledged");
    while spool.lost_totals().is_empty() {
        append(&mut spool, 2);
    }
    let lost = spool.take_lost();
    let range = lost[0].range.expect("known");
    assert_eq!(
        (range.first_sequence, range.last_sequence),
        (batches[1].first_sequence, batches[2].last_sequence)
    );
    assert_eq!((lost[0].batches, lost[0].events), (2, 4));
}

#[test]
fn the_newest_is_refused_when_that_is_configured() {
    let fs = MemoryFs::default();
    let config = config(3_000, 1_000, WhenFull::DropNewest);
    let (mut spool, _) = open(&fs, &config);
    let mut batches = Vec::new();
    let refused = loop {
        let batch = sealed(chain_of(&spool, boot(1)), 3, 300);
        match spool.append(&batch) {
            Ok(()) => batches.push(batch),
            Err(why) => break why,
        }
    };
    assert!(
        matches!(
            refused,
            SpoolError::Refused {
                reason: LossReason::SpoolFull,
                ..
            }
        ),
        "{refused}"
    );
    assert_eq!(
        spool.chain_state().expect("some").next_sequence,
        batches.last().expect("some").last_sequence + 1
    );
    assert_eq!(
        digests(&waiting(&mut spool)),
        batches.iter().map(|batch| batch.digest).collect::<Vec<_>>()
    );
    // When there is room again, the next batch has the refused one's sequences, and the loss is told without any.
    let marks = waiting(&mut spool);
    spool
        .acknowledge(&marks.last().expect("some").mark)
        .expect("acknowledged");
    let lost = spool.take_lost();
    assert_eq!(
        (lost.len(), lost[0].batches, lost[0].events, lost[0].range),
        (1, 1, 3, None)
    );
    append(&mut spool, 1);
    assert_eq!(spool.take_lost(), []);
}

#[test]
fn losses_that_could_not_be_told_are_given_again() {
    let fs = MemoryFs::default();
    let (mut spool, _) = open(&fs, &roomy());
    append(&mut spool, 1);
    spool.count_lost(LossReason::TooLarge, 0, 7);
    assert_eq!(spool.take_lost()[0].events, 7);
    fs.fail_next_sync();
    let batch = sealed(chain_of(&spool, boot(1)), 1, 300);
    spool.append(&batch).expect_err("refused");
    let lost = spool.take_lost();
    assert_eq!(lost.iter().map(|lost| lost.events).sum::<u64>(), 8, "{lost:?}");
    append(&mut spool, 1);
    crash(spool, &fs, 1);
    assert_eq!(open(&fs, &roomy()).0.take_lost(), []);
}

#[test]
fn a_full_disk_refuses_and_later_takes_again() {
    let fs = MemoryFs::default();
    let (mut spool, _) = open(&fs, &roomy());
    let first = append(&mut spool, 1);
    fs.set_capacity(Some(fs.used_bytes() + 100));
    let refused = spool
        .append(&sealed(chain_of(&spool, boot(1)), 5, 300))
        .expect_err("no room");
    assert!(
        matches!(
            refused,
            SpoolError::Refused {
                reason: LossReason::DiskFull,
                ..
            }
        ),
        "{refused}"
    );
    assert_eq!(digests(&waiting(&mut spool)), [first.digest]);
    fs.set_capacity(None);
    let second = append(&mut spool, 1);
    assert_eq!(second.first_sequence, first.last_sequence + 1);
    crash(spool, &fs, 9);
    let (mut spool, recovery) = open(&fs, &roomy());
    assert_eq!(recovery.damaged_places, 0);
    assert_eq!(digests(&waiting(&mut spool)), [first.digest, second.digest]);
}

#[test]
fn a_full_disk_takes_acknowledgements() {
    let fs = MemoryFs::default();
    let (mut spool, _) = open(&fs, &roomy());
    for _ in 0..20 {
        append(&mut spool, 1);
    }
    fs.set_capacity(Some(fs.used_bytes()));
    let marks = waiting(&mut spool);
    spool.acknowledge(&marks[18].mark).expect("deleting makes room");
    crash(spool, &fs, 5);
    assert_eq!(waiting(&mut open(&fs, &roomy()).0).len(), 1);
}

#[test]
fn a_full_disk_has_room_again_when_all_is_acknowledged() {
    for seed in 0..50 {
        let fs = MemoryFs::default();
        // One segment, so that no other can be deleted.
        let config = config(1 << 30, 1 << 20, WhenFull::DropOldest);
        let (mut spool, _) = open(&fs, &config);
        let last = (0..20).map(|_| append(&mut spool, 1)).last().expect("some");
        fs.set_capacity(Some(fs.used_bytes()));
        spool
            .append(&sealed(chain_of(&spool, boot(1)), 5, 300))
            .expect_err("no room");
        // The loss is written down all the same.
        crash(spool, &fs, seed);
        let (mut spool, _) = open(&fs, &config);
        assert_eq!(spool.take_lost()[0].events, 5);
        let marks = waiting(&mut spool);
        spool.acknowledge(&marks[19].mark).expect("acknowledged");
        let next = append(&mut spool, 1);
        assert_eq!(next.first_sequence, last.last_sequence + 1);
        crash(spool, &fs, seed);
        let (mut spool, recovery) = open(&fs, &config);
        assert_eq!((recovery.damaged_places, recovery.waiting_batches), (0, 1));
        assert_eq!(digests(&waiting(&mut spool)), [next.digest]);
        assert_eq!(spool.take_lost(), []);
    }
}

#[test]
fn a_full_disk_does_not_keep_it_from_opening() {
    let fs = MemoryFs::default();
    let (mut spool, _) = open(&fs, &roomy());
    let first = append(&mut spool, 1);
    fs.cut_power_after(1);
    spool
        .append(&sealed(chain_of(&spool, boot(1)), 5, 300))
        .expect_err("no power");
    drop(spool);
    fs.restart(&mut Choices::new(7));
    fs.set_capacity(Some(fs.used_bytes()));
    let (mut spool, _) = open(&fs, &roomy());
    assert_eq!(waiting(&mut spool)[0].mark.digest(), &first.digest);
}

#[test]
fn a_segment_whose_making_failed_leaves_no_trace() {
    for seed in 0..50 {
        let fs = MemoryFs::default();
        let (mut spool, _) = open(&fs, &roomy());
        let first = append(&mut spool, 1);
        // Too large for the first segment, and the second cannot be made.
        fs.fail_next_sync();
        spool
            .append(&sealed(chain_of(&spool, boot(1)), 1, 1_900))
            .expect_err("refused");
        let second = append(&mut spool, 1);
        crash(spool, &fs, seed);
        let (mut spool, recovery) = open(&fs, &roomy());
        assert_eq!(recovery.damaged_places, 0);
        assert_eq!(digests(&waiting(&mut spool)), [first.digest, second.digest]);
        assert_eq!(append(&mut spool, 1).first_sequence, second.last_sequence + 1);
    }
}

#[test]
fn nothing_is_dropped_before_its_loss_is_on_the_disk() {
    for seed in 0..50 {
        let fs = MemoryFs::default();
        let config = config(3_000, 1_500, WhenFull::DropOldest);
        let (mut spool, _) = open(&fs, &config);
        let batches: Vec<Sealed> = (0..6).map(|_| append(&mut spool, 2)).collect();
        fs.remove(&dir().join("reserve")).expect("removed");
        fs.set_capacity(Some(fs.used_bytes()));
        let refused = spool
            .append(&sealed(chain_of(&spool, boot(1)), 1, 300))
            .expect_err("no room for the loss");
        assert!(
            matches!(
                refused,
                SpoolError::Refused {
                    reason: LossReason::DiskFull,
                    ..
                }
            ),
            "{refused}"
        );
        crash(spool, &fs, seed);
        let (mut spool, _) = open(&fs, &config);
        assert_eq!(
            digests(&waiting(&mut spool)),
            batches.iter().map(|batch| batch.digest).collect::<Vec<_>>()
        );
    }
}

#[test]
fn a_rejected_batch_is_lost_and_the_queue_goes_on() {
    let fs = MemoryFs::default();
    let (mut spool, _) = open(&fs, &roomy());
    let batches: Vec<Sealed> = (0..3).map(|_| append(&mut spool, 2)).collect();
    let offered = waiting(&mut spool);
    spool
        .reject(&offered[0].mark, offered[0].first_sequence)
        .expect("rejected");
    assert_eq!(
        digests(&waiting(&mut spool)),
        [batches[1].digest, batches[2].digest]
    );
    let lost = spool.take_lost();
    assert_eq!((lost[0].reason, lost[0].events), (LossReason::Rejected, 2));
    assert_eq!(lost[0].range.expect("known").last_digest, Some(batches[0].digest));
}

#[test]
fn it_works_on_the_hosts_file_system() {
    let temporary = tempfile::tempdir().expect("made");
    let dir = temporary.path().join("state/spool");
    let clock = Arc::new(crate::clock::SystemClock);
    let (mut spool, _) = Spool::open(OsFileSystem, &dir, &roomy(), clock.clone()).expect("opens");
    let in_use = Spool::open(OsFileSystem, &dir, &roomy(), clock.clone()).expect_err("in use");
    assert!(in_use.to_string().contains("another sensor"), "{in_use}");
    let mut batches = Vec::new();
    for _ in 0..20 {
        let batch = sealed(chain_of(&spool, boot(1)), 2, 300);
        spool.append(&batch).expect("appended");
        batches.push(batch);
    }
    let offered = waiting(&mut spool);
    spool.acknowledge(&offered[9].mark).expect("acknowledged");
    drop(spool);
    let (mut spool, recovery) = Spool::open(OsFileSystem, &dir, &roomy(), clock).expect("opens");
    assert_eq!(
        recovery,
        Recovery {
            waiting_batches: 10,
            ..Recovery::default()
        }
    );
    assert_eq!(
        digests(&waiting(&mut spool)),
        batches[10..].iter().map(|batch| batch.digest).collect::<Vec<_>>()
    );
}
