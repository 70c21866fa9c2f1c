use claviger_proto::envelope::batch_digest;
use jiff::Timestamp;
use proptest::prelude::*;

use super::*;
use crate::verify::SensorId;

/// A sensor that seals, and a detector that stores, both as simple as they can be.
#[derive(Default)]
struct Model {
    boot: u8,
    next: u64,
    previous: Sha256Digest,
    /// Sealed and never sent, oldest first.
    dropped: Vec<Header>,
    stored: Vec<Header>,
    state: ChainState,
    /// Whether something was dropped since the newest that was delivered.
    hole: bool,
}

impl Model {
    fn seal(&mut self, events: u64) -> Header {
        let first_sequence = self.next + 1;
        self.next += events;
        let place = [
            &self.boot.to_le_bytes()[..],
            &self.next.to_le_bytes(),
            &self.previous,
        ]
        .concat();
        let header = Header {
            sensor: SensorId(Uuid::nil()),
            boot: Uuid::from_bytes([self.boot; 16]),
            first_sequence,
            last_sequence: self.next,
            previous: self.previous,
            digest: batch_digest(&place),
            sealed_at: Timestamp::UNIX_EPOCH,
        };
        self.previous = header.digest;
        header
    }

    fn offer(&mut self, header: &Header, dropped: &[Dropped]) -> (Verdict, Vec<OpenBreak>) {
        let overlapping = self.stored.iter().find(|stored| {
            stored.boot == header.boot
                && stored.first_sequence <= header.last_sequence
                && header.first_sequence <= stored.last_sequence
        });
        let stored = overlapping.map(|stored| Stored {
            first_sequence: stored.first_sequence,
            last_sequence: stored.last_sequence,
            digest: stored.digest,
        });
        let judgement = self.state.judge(header, stored.as_ref(), dropped);
        self.state = judgement.next;
        if matches!(judgement.verdict, Verdict::Accept | Verdict::Break(_)) {
            self.stored.push(header.clone());
        }
        (judgement.verdict, judgement.explained)
    }

    fn gap(&self) -> Dropped {
        let here: Vec<_> = self
            .dropped
            .iter()
            .filter(|header| header.boot.as_bytes()[0] == self.boot)
            .collect();
        Dropped {
            boot: Some(Uuid::from_bytes([self.boot; 16])),
            first: here.first().map_or(1, |header| header.first_sequence),
            last: here.last().map_or(1, |header| header.last_sequence),
            last_digest: self.dropped.last().map(|header| header.digest),
        }
    }
}

#[derive(Clone, Debug)]
enum Step {
    Deliver(u64),
    Drop(u64),
    DeliverWithGap(u64),
    Reboot,
    Again(prop::sample::Index),
    Fork(prop::sample::Index),
    Late(prop::sample::Index),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (1_u64..5).prop_map(Step::Deliver),
        2 => (1_u64..5).prop_map(Step::Drop),
        1 => (1_u64..5).prop_map(Step::DeliverWithGap),
        1 => Just(Step::Reboot),
        1 => any::<prop::sample::Index>().prop_map(Step::Again),
        1 => any::<prop::sample::Index>().prop_map(Step::Fork),
        1 => any::<prop::sample::Index>().prop_map(Step::Late),
    ]
}

proptest! {
    #[test]
    fn the_chain_agrees_with_the_model(steps in proptest::collection::vec(step(), 1..60)) {
        let mut model = Model::default();
        for step in steps {
            match step {
                Step::Deliver(events) => {
                    let header = model.seal(events);
                    let (verdict, _) = model.offer(&header, &[]);
                    if model.hole {
                        let broken = matches!(&verdict, Verdict::Break(found) if found.kind == BreakKind::Missing);
                        prop_assert!(broken, "{:?}", verdict);
                    } else {
                        prop_assert_eq!(verdict, Verdict::Accept);
                    }
                    model.hole = false;
                }
                Step::Drop(events) => {
                    let header = model.seal(events);
                    if !model.hole {
                        model.dropped.clear();
                    }
                    model.dropped.push(header);
                    model.hole = true;
                }
                Step::DeliverWithGap(events) => {
                    let header = model.seal(events);
                    let gap = model.gap();
                    let (verdict, _) = model.offer(&header, &[gap]);
                    prop_assert_eq!(verdict, Verdict::Accept);
                    model.hole = false;
                }
                Step::Reboot => {
                    model.boot = model.boot.wrapping_add(1);
                    model.next = 0;
                }
                Step::Again(index) if !model.stored.is_empty() => {
                    let header = index.get(&model.stored).clone();
                    let before = model.state.clone();
                    prop_assert_eq!(model.offer(&header, &[]).0, Verdict::Duplicate);
                    prop_assert_eq!(&model.state, &before);
                }
                Step::Fork(index) if !model.stored.is_empty() => {
                    let mut header = index.get(&model.stored).clone();
                    header.digest[0] ^= 0xff;
                    let before = model.state.clone();
                    prop_assert!(matches!(model.offer(&header, &[]).0, Verdict::Fork(_)));
                    prop_assert_eq!(&model.state, &before);
                }
                Step::Late(index) if !model.dropped.is_empty() && !model.hole => {
                    let header = index.get(&model.dropped).clone();
                    let known = model.stored.contains(&header);
                    let head = model.state.head.clone();
                    let (verdict, _) = model.offer(&header, &[]);
                    if known {
                        prop_assert_eq!(verdict, Verdict::Duplicate);
                    } else if head.as_ref().is_some_and(|head| head.boot == header.boot) {
                        let late = matches!(&verdict, Verdict::Break(found) if found.kind == BreakKind::OutOfOrder);
                        prop_assert!(late, "{:?}", verdict);
                        prop_assert_eq!(&model.state.head, &head, "a late batch does not move the head");
                    } else {
                        // Of a boot that is over: the head moves there and back, each time with a break.
                        prop_assert!(matches!(verdict, Verdict::Break(_)));
                        return Ok(());
                    }
                }
                Step::Again(_) | Step::Fork(_) | Step::Late(_) => {}
            }
            prop_assert!(model.state.open.len() <= MAX_OPEN_BREAKS);
        }
    }

    #[test]
    fn a_later_gap_explains_the_break(before in 1_u64..4, lost in 1_u64..9, waiting in 0_usize..5, parts in 1_u64..3) {
        let mut model = Model { boot: 1, ..Model::default() };
        let header = model.seal(before);
        model.offer(&header, &[]);
        let mut gaps = Vec::new();
        for _ in 0..parts {
            let header = model.seal(lost);
            let last_digest = Some(header.digest);
            gaps.push(Dropped { boot: Some(header.boot), first: header.first_sequence, last: header.last_sequence, last_digest });
        }
        let header = model.seal(1);
        prop_assert!(matches!(model.offer(&header, &[]).0, Verdict::Break(_)));
        for _ in 0..waiting {
            let header = model.seal(1);
            prop_assert_eq!(model.offer(&header, &[]), (Verdict::Accept, vec![]));
        }
        let header = model.seal(1);
        let (verdict, explained) = model.offer(&header, &gaps);
        prop_assert_eq!(verdict, Verdict::Accept);
        prop_assert_eq!(explained.len(), 1);
        prop_assert!(model.state.open.is_empty());
    }
}

#[test]
fn a_gap_that_names_too_little_or_another_digest_explains_nothing() {
    for (first, last, right_digest) in [(2, 3, false), (2, 2, true), (3, 3, true)] {
        let mut model = Model {
            boot: 1,
            ..Model::default()
        };
        let header = model.seal(1);
        model.offer(&header, &[]);
        let lost = model.seal(2);
        let digest = if right_digest { lost.digest } else { [7; 32] };
        let gap = Dropped {
            boot: Some(header.boot),
            first,
            last,
            last_digest: Some(digest),
        };
        let header = model.seal(1);
        let (verdict, _) = model.offer(&header, &[gap]);
        assert!(
            matches!(verdict, Verdict::Break(_)),
            "{first} {last} {right_digest}"
        );
    }
}

#[test]
fn a_rewritten_batch_cannot_be_explained() {
    let mut model = Model {
        boot: 1,
        ..Model::default()
    };
    let header = model.seal(1);
    model.offer(&header, &[]);
    let mut header = model.seal(1);
    header.previous = [9; 32];
    let gap = Dropped {
        boot: Some(header.boot),
        first: 1,
        last: 9,
        last_digest: Some([9; 32]),
    };
    let (verdict, _) = model.offer(&header, &[gap]);
    let Verdict::Break(found) = verdict else {
        panic!("{verdict:?}")
    };
    assert_eq!(
        (found.kind, found.expected_sequence, found.got_sequence),
        (BreakKind::Rewritten, 2, 2)
    );
}

#[test]
fn a_lost_end_of_a_boot_breaks_the_next_boot_and_a_gap_joins_it() {
    for with_gap in [false, true] {
        let mut model = Model {
            boot: 1,
            ..Model::default()
        };
        let header = model.seal(3);
        model.offer(&header, &[]);
        let lost = model.seal(2);
        (model.boot, model.next) = (2, 0);
        let header = model.seal(1);
        let gap = Dropped {
            boot: Some(lost.boot),
            first: 4,
            last: 5,
            last_digest: Some(lost.digest),
        };
        let (verdict, _) = model.offer(&header, if with_gap { std::slice::from_ref(&gap) } else { &[] });
        assert_eq!(verdict == Verdict::Accept, with_gap);
    }
}

#[test]
fn the_state_survives_being_stored() {
    let mut model = Model {
        boot: 1,
        ..Model::default()
    };
    model.seal(1);
    let header = model.seal(1);
    model.offer(&header, &[]);
    let text = serde_json::to_string(&model.state).expect("serializes");
    assert_eq!(
        serde_json::from_str::<ChainState>(&text).expect("parses"),
        model.state
    );
    assert!(!model.state.open.is_empty());
}

/// The sensor knows which sequences may be lost, and not what came last: said as that, once, and waited for by nothing.
#[test]
fn a_gap_without_a_digest_accounts_for_sequences_and_proves_nothing() {
    let mut model = Model::default();
    let first = model.seal(3);
    assert_eq!(model.offer(&first, &[]).0, Verdict::Accept);
    model.next = 999;
    model.previous = [7; 32];
    let after = model.seal(1);
    let gap = |last_digest| Dropped {
        boot: Some(first.boot),
        first: 1,
        last: 999,
        last_digest,
    };
    let mut exact = model.state.clone().judge(&after, None, &[gap(Some([7; 32]))]);
    assert_eq!((exact.verdict, exact.explained.len()), (Verdict::Accept, 0));
    exact = model.state.clone().judge(&after, None, &[]);
    assert!(matches!(exact.verdict, Verdict::Break(found) if found.kind == BreakKind::Missing));
    let elsewhere = Dropped {
        last: 500,
        ..gap(None)
    };
    let exactly = Dropped {
        first: 501,
        ..gap(Some([9; 32]))
    };
    let other = model.state.clone().judge(&after, None, &[elsewhere, exactly]);
    assert!(
        matches!(&other.verdict, Verdict::Break(found) if found.kind == BreakKind::Missing),
        "another gap proves nothing of this link: {:?}",
        other.verdict
    );
    let (verdict, explained) = model.offer(&after, &[gap(None)]);
    assert!(
        matches!(&verdict, Verdict::Break(found) if found.kind == BreakKind::Unproven),
        "{verdict:?}"
    );
    assert_eq!((explained.len(), model.state.open.len()), (0, 0));
    let next = model.seal(2);
    assert_eq!(
        model.offer(&next, &[]).0,
        Verdict::Accept,
        "the chain goes on from it"
    );
}

/// Sequences begin anew with each boot: those of one are no account of another's.
#[test]
fn a_gap_of_another_boot_accounts_for_nothing_of_this_one() {
    for (boot, accounts) in [(Some(1), false), (Some(2), true), (None, true)] {
        let mut model = Model {
            boot: 1,
            ..Model::default()
        };
        let first = model.seal(3);
        model.offer(&first, &[]);
        (model.boot, model.next) = (2, 0);
        let lost = model.seal(5);
        let after = model.seal(1);
        let gap = Dropped {
            boot: boot.map(|boot| Uuid::from_bytes([boot; 16])),
            first: 1,
            last: 5,
            last_digest: Some(lost.digest),
        };
        let (verdict, _) = model.offer(&after, &[gap]);
        assert_eq!(verdict == Verdict::Accept, accounts, "{boot:?}: {verdict:?}");
    }
}

/// What is not known of the end of a boot, or of a whole one, leads up to the next; what is not known of an earlier one does not.
#[test]
fn a_gap_without_a_digest_leads_up_to_the_batch_that_follows_on_its_boot() {
    for (boot, first, last, unproven) in [
        (1, 4, 9, true),
        (1, 1, 2, false),
        (1, 6, 9, false),
        (7, 1, 9, true),
        (7, 4, 9, false),
        (2, 1, 9, false),
    ] {
        let mut model = Model {
            boot: 1,
            ..Model::default()
        };
        let header = model.seal(3);
        model.offer(&header, &[]);
        (model.boot, model.next, model.previous) = (2, 0, [7; 32]);
        let after = model.seal(1);
        let gap = Dropped {
            boot: Some(Uuid::from_bytes([boot; 16])),
            first,
            last,
            last_digest: None,
        };
        let (verdict, _) = model.offer(&after, &[gap]);
        let kind = match verdict {
            Verdict::Break(found) => found.kind,
            other => panic!("{other:?}"),
        };
        let expected = if unproven {
            BreakKind::Unproven
        } else {
            BreakKind::Missing
        };
        assert_eq!(kind, expected, "{boot} {first} {last}");
    }
}

#[test]
fn a_boot_that_is_none_is_that_of_nothing() {
    let gap = |lost_boot_id: &str| {
        Dropped::of(&Gap {
            first_lost_sequence: 1,
            last_lost_sequence: 2,
            lost_boot_id: lost_boot_id.into(),
            ..Gap::default()
        })
        .map(|dropped| dropped.boot)
    };
    let boot = Uuid::from_bytes([3; 16]);
    assert_eq!(gap(&boot.to_string()), Some(Some(boot)));
    assert_eq!(gap(""), Some(None));
    assert_eq!(gap("none"), Some(Some(Uuid::nil())));
}
