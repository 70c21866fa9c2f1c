use proptest::prelude::*;

use super::*;

#[test]
fn a_damaged_ledger_costs_no_event() {
    let fs = MemoryFs::default();
    let (mut spool, _) = open(&fs, &roomy());
    let batches: Vec<Sealed> = (0..3).map(|_| append(&mut spool, 2)).collect();
    let offered = waiting(&mut spool);
    spool.acknowledge(&offered[0].mark).expect("acknowledged");
    drop(spool);
    fs.flip(&dir().join("acknowledged"), 20, 0x40);
    let (mut spool, recovery) = open(&fs, &roomy());
    assert!(recovery.ledger_damaged);
    assert_eq!(
        digests(&waiting(&mut spool)),
        batches.iter().map(|batch| batch.digest).collect::<Vec<_>>()
    );
}

#[test]
fn a_deleted_segment_is_told_once() {
    let fs = MemoryFs::default();
    let (mut spool, _) = open(&fs, &roomy());
    let batches: Vec<Sealed> = (0..30).map(|_| append(&mut spool, 2)).collect();
    drop(spool);
    fs.remove(&segment_path(2)).expect("removed");
    let (mut spool, recovery) = open(&fs, &roomy());
    assert_eq!(recovery.damaged_places, 1);
    let offered = digests(&waiting(&mut spool));
    let missing: Vec<&Sealed> = batches
        .iter()
        .filter(|batch| !offered.contains(&batch.digest))
        .collect();
    let lost = spool.take_lost();
    assert_eq!(lost.len(), 1);
    let range = lost[0].range.expect("known");
    let (first, last) = (missing.first().expect("some"), missing.last().expect("some"));
    assert_eq!(
        (range.first_sequence, range.last_sequence),
        (first.first_sequence, last.last_sequence)
    );
    assert_eq!(range.last_digest, Some(last.digest));
    append(&mut spool, 1);
    drop(spool);
    let (mut spool, recovery) = open(&fs, &roomy());
    assert_eq!((recovery.damaged_places, spool.take_lost()), (0, vec![]));
}

#[test]
fn a_begun_record_is_told_once_also_before_a_new_segment() {
    let fs = MemoryFs::default();
    let (mut spool, _) = open(&fs, &roomy());
    let first = append(&mut spool, 1);
    let begun = sealed(chain_of(&spool, boot(1)), 5, 300);
    // All but the last byte of a record came to the disk.
    let record = record::encode(&record::Meta::of(&begun), &begun.envelope);
    let end = fs.content(&segment_path(1)).len() as u64;
    drop(spool);
    fs.open(&segment_path(1))
        .and_then(|mut file| file.write_all_at(&record[..record.len() - 1], end))
        .expect("written");
    let (mut spool, recovery) = open(&fs, &roomy());
    assert_eq!(
        (recovery.cut_bytes, recovery.damaged_places),
        (record.len() as u64 - 1, 1)
    );
    let lost = spool.take_lost();
    assert_eq!((lost.len(), lost[0].batches, lost[0].events), (1, 1, 5));
    assert_eq!(lost[0].range.expect("known").last_digest, Some(begun.digest));
    // The next batch is too large for the segment that the lost one stood in.
    let next = sealed(chain_of(&spool, boot(1)), 1, 1_900);
    assert_eq!(next.first_sequence, begun.last_sequence + 1);
    spool.append(&next).expect("appended");
    drop(spool);
    let (mut spool, recovery) = open(&fs, &roomy());
    assert_eq!((recovery.damaged_places, spool.take_lost()), (0, vec![]));
    assert_eq!(digests(&waiting(&mut spool)), [first.digest, next.digest]);
}

#[test]
fn nothing_of_a_begun_record_is_left_behind_the_next() {
    let fs = MemoryFs::default();
    let (mut spool, _) = open(&fs, &roomy());
    let first = append(&mut spool, 1);
    let begun = sealed(chain_of(&spool, boot(1)), 5, 900);
    let record = record::encode(&record::Meta::of(&begun), &begun.envelope);
    let end = fs.content(&segment_path(1)).len() as u64;
    drop(spool);
    fs.open(&segment_path(1))
        .and_then(|mut file| file.write_all_at(&record[..record.len() - 1], end))
        .expect("written");
    let (mut spool, _) = open(&fs, &roomy());
    spool.take_lost();
    let shorter = append(&mut spool, 1);
    drop(spool);
    let (mut spool, recovery) = open(&fs, &roomy());
    assert_eq!((recovery.cut_bytes, recovery.damaged_places), (0, 0));
    assert_eq!(spool.take_lost(), []);
    assert_eq!(digests(&waiting(&mut spool)), [first.digest, shorter.digest]);
}

/// Whatever single byte goes bad, before opening or while open: what is whole is offered, what is missing is told, once, and no
/// sequence comes again.
#[test]
fn any_one_byte_may_go_bad() {
    let fs = MemoryFs::default();
    let (mut spool, _) = open(&fs, &roomy());
    for _ in 0..4 {
        append(&mut spool, 2);
    }
    drop(spool);
    let length = fs.content(&segment_path(1)).len();
    for offset in 0..length {
        for while_open in [false, true] {
            one_byte(offset, while_open);
        }
    }
}

fn one_byte(offset: usize, while_open: bool) {
    let context = format!("byte {offset}, while open: {while_open}");
    let fs = MemoryFs::default();
    let (mut spool, _) = open(&fs, &roomy());
    let batches: Vec<Sealed> = (0..4).map(|_| append(&mut spool, 2)).collect();
    if while_open {
        fs.flip(&segment_path(1), offset, 0x10);
    } else {
        drop(spool);
        fs.flip(&segment_path(1), offset, 0x10);
        spool = open(&fs, &roomy()).0;
    }
    let offered = digests(&waiting(&mut spool));
    let missing: Vec<&Sealed> = batches
        .iter()
        .filter(|batch| !offered.contains(&batch.digest))
        .collect();
    assert!(missing.len() <= 1, "{context}: {} missing", missing.len());
    let lost = spool.take_lost();
    assert_eq!(lost.len(), missing.len(), "{context}: {lost:?}");
    for (lost, missing) in lost.iter().zip(&missing) {
        let range = lost.range.expect("known");
        assert_eq!(range.first_sequence, missing.first_sequence, "{context}");
        assert!(range.last_sequence >= missing.last_sequence, "{context}");
        if missing.digest != batches[3].digest {
            assert_eq!(
                (range.last_sequence, lost.events),
                (missing.last_sequence, 2),
                "{context}"
            );
        }
    }
    let next = append(&mut spool, 1);
    assert!(
        next.first_sequence > batches[3].last_sequence,
        "{context}: a sequence came again"
    );
    assert!(
        digests(&waiting(&mut spool)).ends_with(&[next.digest]),
        "{context}"
    );
    drop(spool);
    let (mut spool, recovery) = open(&fs, &roomy());
    assert_eq!(
        (recovery.damaged_places, spool.take_lost()),
        (0, vec![]),
        "{context}: told twice"
    );
    assert_eq!(waiting(&mut spool).len(), offered.len() + 1, "{context}");
}

/// Opens a spool with this as its only segment, and uses it as a sensor would.
fn survive(segment: &[u8]) {
    let fs = MemoryFs::default();
    let mut file = fs.create(&segment_path(1)).expect("made");
    file.write_all_at(segment, 0)
        .and_then(|()| file.sync())
        .expect("written");
    fs.sync_dir(&dir()).expect("synced");
    let (mut spool, _) = open(&fs, &roomy());
    let before = waiting(&mut spool).len();
    let next = append(&mut spool, 1);
    drop(spool);
    let (mut spool, _) = open(&fs, &roomy());
    let offered = digests(&waiting(&mut spool));
    assert_eq!((offered.len(), offered.last()), (before + 1, Some(&next.digest)));
}

/// The bytes of a segment with a few batches.
fn whole_segment() -> Vec<u8> {
    let fs = MemoryFs::default();
    let (mut spool, _) = open(&fs, &roomy());
    for _ in 0..4 {
        append(&mut spool, 2);
    }
    drop(spool);
    fs.content(&segment_path(1))
}

proptest! {
    #[test]
    fn no_bytes_keep_it_from_opening_and_going_on(bytes: Vec<u8>) {
        survive(&bytes);
    }

    #[test]
    fn no_damage_keeps_it_from_opening_and_going_on(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        end in any::<prop::sample::Index>(),
    ) {
        let mut segment = whole_segment();
        for (at, value) in changes {
            let at = at.index(segment.len());
            segment[at] = value;
        }
        segment.truncate(end.index(segment.len()));
        survive(&segment);
    }
}
