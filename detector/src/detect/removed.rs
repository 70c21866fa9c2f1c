//! `evidence_removed`: a sensor found files gone in which it keeps what it has not sent yet.
//!
//! The sensor tells it in a signed gap, whoever removed them and whether it ran then or not. The gap lets its evidence join again; this says that
//! somebody was at it. Who that was is in a `sensor_tamper` of the same time, where the sensor ran and saw it.

use claviger_proto::v1::{Event, Finding, Gap, Severity};

use super::finding;
use crate::verify::Verified;

const NAME: &str = "evidence_removed";

/// Indicator Removal: File Deletion.
const TECHNIQUE: &str = "T1070.004";

/// Reasons of gaps that nothing but a hand, or a disk that loses files, can bring about.
const REASONS: [&str; 2] = ["spool_removed", "spool_segment_missing"];

pub(super) fn detect(event: &Verified<Event>) -> Option<Finding> {
    let (id, gap) = (event.id.as_ref()?, event.gap.as_ref()?);
    if !REASONS.contains(&gap.reason.as_str()) {
        return None;
    }
    Some(Finding {
        id: finding::id(NAME, id, b""),
        severity: Severity::High.into(),
        detection: NAME.into(),
        title: "evidence removed from a sensor".into(),
        summary: format!(
            "files were removed in which the sensor {} keeps what it has not sent yet: {}",
            id.sensor_id,
            what_is_lost(gap, &id.boot_id)
        ),
        evidence: vec![id.clone()],
        event_time: event.time,
        attack_techniques: vec![TECHNIQUE.into()],
        attack_version: finding::ATTACK_VERSION.into(),
        ..Finding::default()
    })
}

fn what_is_lost(gap: &Gap, told_in: &str) -> String {
    let counts = gap.losses.iter().map(|loss| loss.count);
    let count = counts.fold(0, u64::saturating_add);
    let (first, last) = (gap.first_lost_sequence, gap.last_lost_sequence);
    let of_boot = match gap.lost_boot_id.as_str() {
        boot if boot.is_empty() || boot == told_in => String::new(),
        boot => format!(" of the boot {boot}"),
    };
    match (first, count) {
        (0, 0) => "nothing is known to be lost, it had sent all".into(),
        (0, count) => format!("{count} events are lost"),
        (first, 0) => format!("what of events {first} to {last}{of_boot} it had sealed and not sent is lost"),
        (first, count) => format!("{count} events are lost, {first} to {last}{of_boot}"),
    }
}

#[cfg(test)]
mod tests {
    use claviger_proto::catalogue::Catalogue;
    use claviger_proto::v1::{EventKind, LossCount};

    use super::super::{State, detect};
    use super::*;
    use crate::verify::testing::Signer;

    fn told(reason: &str, lost: (u64, u64), count: u64) -> Vec<Finding> {
        told_of("", reason, lost, count)
    }

    fn told_of(boot: &str, reason: &str, lost: (u64, u64), count: u64) -> Vec<Finding> {
        let gap = Gap {
            lost_boot_id: boot.into(),
            reason: reason.into(),
            first_lost_sequence: lost.0,
            last_lost_sequence: lost.1,
            // Whoever has a sensor's key can say anything.
            losses: [count, count / 2 * u64::from(count == u64::MAX)]
                .map(|count| LossCount {
                    stage: "spool".into(),
                    reason: reason.into(),
                    count,
                })
                .to_vec(),
            ..Gap::default()
        };
        let event = Event {
            kind: EventKind::Gap.into(),
            gap: Some(Box::new(gap)),
            ..Event::default()
        };
        let mut state = State::new(Catalogue::shipped());
        let verified = Signer::new(1).verified(vec![event]);
        let (_, _, events) = verified.split();
        events
            .iter()
            .flat_map(|event| detect(event, &mut state))
            .collect()
    }

    #[test]
    fn files_that_are_gone_are_a_finding_and_a_full_spool_is_not() {
        for reason in REASONS {
            let found = told(reason, (4, 9), 6);
            assert_eq!((found.len(), found[0].detection.as_str()), (1, NAME));
            assert!(
                found[0].summary.ends_with("6 events are lost, 4 to 9"),
                "{}",
                found[0].summary
            );
        }
        for other in ["spool_full", "not_watching", "disk_full"] {
            assert_eq!(told(other, (4, 9), 6), [], "{other}");
        }
    }

    #[test]
    fn what_is_not_known_is_not_counted() {
        for (lost, count, says) in [
            ((0, 0), 0, "it had sent all"),
            ((0, 0), 3, "3 events are lost"),
            ((0, 0), u64::MAX, "18446744073709551615 events are lost"),
            (
                (4, 9),
                0,
                "what of events 4 to 9 it had sealed and not sent is lost",
            ),
        ] {
            let found = told("spool_removed", lost, count);
            assert!(found[0].summary.ends_with(says), "{}", found[0].summary);
        }
    }

    #[test]
    fn what_was_sealed_in_another_boot_is_said_to_be() {
        let found = told_of("another", "spool_removed", (4, 9), 6);
        let summary = &found[0].summary;
        assert!(
            summary.ends_with("6 events are lost, 4 to 9 of the boot another"),
            "{summary}"
        );
        let own = found[0].evidence[0].boot_id.clone();
        let found = told_of(&own, "spool_removed", (4, 9), 6);
        assert!(found[0].summary.ends_with("4 to 9"), "{}", found[0].summary);
    }
}
