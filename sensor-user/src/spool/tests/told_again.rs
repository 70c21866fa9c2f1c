//! What a refused batch told of losses.

use claviger_proto::v1::{Batch, Envelope, Event, Gap, LossCount};
use prost::Message as _;

use super::*;

fn ring_full(count: u64) -> Gap {
    Gap {
        losses: vec![LossCount {
            stage: "file_open".into(),
            reason: "ring_full".into(),
            count,
        }],
        reason: "ring_full".into(),
        ..Gap::default()
    }
}

/// Appends a batch that tells gaps.
fn tell(spool: &mut Spool<MemoryFs>, gaps: Vec<Gap>) -> Sealed {
    let events = gaps.into_iter().map(|gap| Event {
        gap: Some(gap.into()),
        ..Event::default()
    });
    let batch = Batch {
        events: events.collect(),
        ..Batch::default()
    };
    let envelope = Envelope {
        payload: batch.encode_to_vec(),
        ..Envelope::default()
    };
    let events = batch.events.len() as u64;
    let sealed = Sealed {
        envelope: Bytes::from(envelope.encode_to_vec()),
        ..sealed(chain_of(spool, boot(1)), events, 100)
    };
    spool.append(&sealed).expect("appended");
    sealed
}

fn reject_first(spool: &mut Spool<MemoryFs>) {
    let first = waiting(spool).remove(0);
    spool.reject(&first.mark, first.first_sequence).expect("rejected");
}

#[test]
fn what_a_refused_batch_told_is_told_again_also_after_a_restart() {
    for restarts in [false, true] {
        let fs = MemoryFs::default();
        let (mut spool, _) = open(&fs, &roomy());
        spool.count_lost(LossReason::TooLarge, 1, 5);
        let mut gaps: Vec<Gap> = spool.take_lost().iter().map(Lost::gap).collect();
        gaps.extend([ring_full(7), ring_full(2)]);
        tell(&mut spool, gaps);
        assert_eq!((spool.take_lost(), spool.take_gaps()), (vec![], vec![]), "told");
        reject_first(&mut spool);
        if restarts {
            drop(spool);
            spool = open(&fs, &roomy()).0;
        }
        let lost = spool.take_lost();
        let counts: Vec<_> = lost.iter().map(|lost| (lost.reason, lost.events)).collect();
        assert_eq!(counts, [(LossReason::TooLarge, 5), (LossReason::Rejected, 3)]);
        assert_eq!(spool.take_gaps(), [ring_full(9)]);
        // Not told yet: a batch that is not kept gives them back, one that is kept does not.
        fs.fail_next_sync();
        spool
            .append(&sealed(chain_of(&spool, boot(1)), 1, 300))
            .expect_err("refused");
        fs.end_process();
        assert_eq!(spool.take_gaps(), [ring_full(9)]);
        append(&mut spool, 1);
        assert_eq!(spool.take_gaps(), []);
    }
}

/// The sequences that a gap named are named again, so that the chain joins; and where every batch is refused, what has to be told does not grow.
#[test]
fn refused_again_and_again_it_stays_as_much() {
    let fs = MemoryFs::default();
    let (mut spool, _) = open(&fs, &roomy());
    append(&mut spool, 4);
    reject_first(&mut spool);
    let mut last = 4;
    for _ in 0..500 {
        let mut gaps: Vec<Gap> = spool.take_lost().iter().map(Lost::gap).collect();
        gaps.extend(spool.take_gaps());
        gaps.push(ring_full(1));
        last = tell(&mut spool, gaps).last_sequence;
        reject_first(&mut spool);
    }
    let lost = spool.take_lost();
    assert_eq!(lost.len(), 1);
    let range = lost[0].range.expect("named");
    assert_eq!((range.first_sequence, range.last_sequence), (1, last));
    assert_eq!(spool.take_gaps(), [ring_full(500)]);
}
