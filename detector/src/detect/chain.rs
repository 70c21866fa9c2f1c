//! Findings about the evidence itself: `evidence_chain_broken`, `evidence_gap_explained`, `evidence_forked`.

use claviger_proto::v1::{EventId, Finding, Severity};

use super::finding;
use crate::clock;
use crate::verify::Header;
use crate::verify::chain::{Break, BreakKind, Judgement, OpenBreak, Stored, Verdict};

/// What a batch's place in its sensor's chain gives to report.
#[must_use]
pub fn chain_findings(header: &Header, judgement: &Judgement) -> Vec<Finding> {
    let verdict = match &judgement.verdict {
        Verdict::Break(found) => Some(broken(header, found)),
        Verdict::Fork(stored) => Some(forked(header, stored)),
        Verdict::Accept | Verdict::Duplicate => None,
    };
    let explained = judgement.explained.iter().map(|open| explained(header, open));
    verdict.into_iter().chain(explained).collect()
}

fn broken(header: &Header, found: &Break) -> Finding {
    let (expected, got) = (found.expected_sequence, found.got_sequence);
    let sensor = header.sensor;
    let (severity, summary) = match found.kind {
        BreakKind::Missing if expected < got => (
            Severity::Medium,
            format!(
                "events {expected} to {} of sensor {sensor} are missing before event {got}, and the sensor has not said \
                 why; a later gap event may still explain it",
                got - 1
            ),
        ),
        BreakKind::Missing => (
            Severity::Medium,
            format!(
                "evidence of sensor {sensor} is missing between its boot before and event {got}, and the sensor has not \
                 said why; a later gap event may still explain it"
            ),
        ),
        BreakKind::OutOfOrder => (
            Severity::High,
            format!(
                "event {got} of sensor {sensor} came after event {}; a sensor sends in order",
                expected - 1
            ),
        ),
        BreakKind::Unproven => (
            Severity::High,
            format!(
                "the sensor {sensor} does not know what it sealed last before event {got}, and says so in a signed gap event: the files \
                 in which it keeps that were removed or damaged. What it had not sent is lost, and nothing proves what that was"
            ),
        ),
        BreakKind::Rewritten => (
            Severity::High,
            format!(
                "event {got} of sensor {sensor} follows by number but not by hash: it was sealed after other evidence \
                 than what is stored here"
            ),
        ),
    };
    let first = finding::event_id(header, header.first_sequence);
    about(
        header,
        "evidence_chain_broken",
        severity,
        "chain of evidence broken",
        summary,
        first,
        b"",
    )
}

fn forked(header: &Header, stored: &Stored) -> Finding {
    let summary = format!(
        "sensor {} signed two different batches for the same events: {} to {} are stored, {} to {} came later and were \
         refused; its signing key is in use twice, or its state was set back",
        header.sensor,
        stored.first_sequence,
        stored.last_sequence,
        header.first_sequence,
        header.last_sequence
    );
    let first = finding::event_id(header, header.first_sequence);
    about(
        header,
        "evidence_forked",
        Severity::High,
        "evidence forked",
        summary,
        first,
        &header.digest,
    )
}

fn explained(header: &Header, open: &OpenBreak) -> Finding {
    let first = EventId {
        boot_id: open.boot.to_string(),
        ..finding::event_id(header, open.at)
    };
    let summary = format!(
        "the break before event {} of sensor {} is explained: the sensor dropped what was before it, and says so in a \
         signed gap event",
        open.at, header.sensor
    );
    let severity = Severity::Informational;
    about(
        header,
        "evidence_gap_explained",
        severity,
        "break in the evidence explained",
        summary,
        first,
        b"",
    )
}

fn about(
    header: &Header,
    detection: &str,
    severity: Severity,
    title: &str,
    summary: String,
    evidence: EventId,
    apart: &[u8],
) -> Finding {
    Finding {
        id: finding::id(detection, &evidence, apart),
        severity: severity.into(),
        detection: detection.into(),
        title: title.into(),
        summary,
        evidence: vec![evidence],
        event_time: Some(clock::to_proto(header.sealed_at)),
        attack_version: finding::ATTACK_VERSION.into(),
        ..Finding::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verify::chain::ChainState;
    use crate::verify::testing::Signer;

    #[test]
    fn each_verdict_has_its_finding() {
        let mut signer = Signer::new(1);
        let mut twin = signer.clone();
        let next = |signer: &mut Signer| signer.verified(vec![Default::default(); 2]).header.clone();
        let first = next(&mut signer);
        let mut state = ChainState::default();
        let judgement = state.judge(&first, None, &[]);
        assert_eq!(chain_findings(&first, &judgement), []);
        state = judgement.next;

        twin.sealed_at_s += 1;
        let fork = next(&mut twin);
        let stored = Stored {
            first_sequence: 1,
            last_sequence: 2,
            digest: first.digest,
        };
        let found = chain_findings(&fork, &state.judge(&fork, Some(&stored), &[]));
        assert_eq!((found.len(), found[0].detection.as_str()), (1, "evidence_forked"));

        next(&mut signer);
        let third = next(&mut signer);
        let found = chain_findings(&third, &state.judge(&third, None, &[]));
        assert_eq!(
            (found.len(), found[0].detection.as_str()),
            (1, "evidence_chain_broken")
        );
        assert!(
            found[0].summary.starts_with("events 3 to 4 of"),
            "{}",
            found[0].summary
        );
        assert_eq!(found[0].severity(), Severity::Medium);
    }
}
