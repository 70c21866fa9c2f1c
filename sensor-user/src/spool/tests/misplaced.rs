//! Segments that lie under each other's names.

use super::*;

const MOST: u64 = 1_000_000;

fn open_in(fs: &MemoryFs) -> (Spool<MemoryFs>, Recovery) {
    open_anchored(fs, &roomy(), boot(1), MOST)
}

/// Batches of such sizes that the segments are of different lengths.
fn filled(fs: &MemoryFs) -> (Spool<MemoryFs>, Vec<Sealed>) {
    let (mut spool, _) = open_in(fs);
    let sizes = [
        300, 450, 700, 320, 500, 900, 350, 610, 400, 330, 520, 360, 810, 300,
    ];
    let batches = sizes.map(|size| {
        let batch = sealed(chain_of(&spool, boot(1)), 3, size);
        spool.append(&batch).expect("appended");
        batch
    });
    (spool, batches.to_vec())
}

fn exchange(fs: &MemoryFs, first: u64, second: u64) {
    let aside = dir().join("aside");
    fs.rename(&segment_path(first), &aside).expect("renamed");
    fs.rename(&segment_path(second), &segment_path(first))
        .expect("renamed");
    fs.rename(&aside, &segment_path(second)).expect("renamed");
}

/// What is offered goes on in order, and together with what is told as lost it is all that was sealed.
fn assert_accounted(spool: &mut Spool<MemoryFs>, batches: &[Sealed], acknowledged: usize, what: &str) {
    let offered = waiting(spool);
    let firsts: Vec<u64> = offered.iter().map(|batch| batch.first_sequence).collect();
    assert!(firsts.is_sorted_by(|one, next| one < next), "{what}: {firsts:?}");
    let lost: Vec<LostRange> = spool.take_lost().iter().filter_map(|lost| lost.range).collect();
    let kept = digests(&offered);
    for batch in &batches[acknowledged..] {
        let is_told = lost
            .iter()
            .any(|range| (range.first_sequence..=range.last_sequence).contains(&batch.first_sequence));
        assert!(
            is_told || kept.contains(&batch.digest),
            "{what}: {} is gone and nobody says so",
            batch.first_sequence
        );
    }
}

#[test]
fn two_segments_that_are_exchanged_have_no_sequence_given_twice() {
    let fs = enrolled();
    let (mut spool, _) = filled(&fs);
    let last = waiting(&mut spool).last().expect("some").mark.segment;
    assert!(last >= 4, "too few segments");
    for first in 1..=last {
        for second in first + 1..=last {
            for acknowledged in [0, 1, 5] {
                let what = format!("{first} and {second}, {acknowledged} acknowledged");
                let fs = enrolled();
                let (mut spool, batches) = filled(&fs);
                if acknowledged > 0 {
                    let mark = waiting(&mut spool)[acknowledged - 1].mark;
                    spool.acknowledge(&mark).expect("acknowledged");
                }
                drop(spool);
                if fs.open(&segment_path(first)).is_err() {
                    continue;
                }
                exchange(&fs, first, second);
                let (mut spool, recovery) = open_in(&fs);
                assert!(recovery.damaged_places > 0, "{what}");
                let next = append(&mut spool, 1);
                assert_eq!(next.first_sequence, 43, "{what}");
                assert_eq!(next.previous_digest, batches[13].digest, "{what}");
                assert_accounted(&mut spool, &batches, acknowledged, &what);
                append(&mut spool, 1);
                drop(spool);
                let (mut spool, recovery) = open_in(&fs);
                assert_eq!(
                    (recovery.misplaced_segments, spool.take_lost()),
                    (0, vec![]),
                    "{what}: told twice"
                );
                assert_eq!(append(&mut spool, 1).first_sequence, 45, "{what}");
            }
        }
    }
}

#[test]
fn a_segment_that_is_copied_over_the_last_is_set_aside_and_told() {
    let fs = enrolled();
    let (mut spool, batches) = filled(&fs);
    let last = waiting(&mut spool).last().expect("some").mark.segment;
    drop(spool);
    let content = fs.content(&segment_path(1));
    let mut file = fs.create(&segment_path(last)).expect("emptied");
    file.write_all_at(&content, 0).expect("written");
    let (mut spool, recovery) = open_in(&fs);
    assert_eq!(recovery.misplaced_segments, 1);
    assert_eq!(
        fs.content(&dir().join("misplaced")),
        content,
        "kept to be looked at"
    );
    assert_eq!(append(&mut spool, 1).first_sequence, 43);
    assert_accounted(&mut spool, &batches, 0, "copied");
}

/// What is left of the last segment is damaged and less than what was sealed: the anchor knows how far that went.
#[test]
fn a_last_segment_that_is_cut_and_damaged_has_no_sequence_given_twice() {
    let fs = enrolled();
    let (mut spool, _) = filled(&fs);
    for _ in 0..3 {
        let batch = sealed(chain_of(&spool, boot(1)), 500, 200);
        spool.append(&batch).expect("appended");
    }
    let next_sequence = chain_of(&spool, boot(1)).next_sequence;
    let last = waiting(&mut spool).last().expect("some").mark.segment;
    drop(spool);
    let mut content = fs.content(&segment_path(last));
    content.truncate(130);
    content[72..].fill(0x55);
    let mut file = fs.create(&segment_path(last)).expect("emptied");
    file.write_all_at(&content, 0).expect("written");
    let (mut spool, _) = open_in(&fs);
    assert_eq!(append(&mut spool, 1).first_sequence, next_sequence);
}
