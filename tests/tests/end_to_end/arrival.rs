//! What is seen arrives, whatever is killed on the way.

use claviger_tests::{can_load, expected_hook};
use rustix::process::Signal;
use serde_json::Value;

use crate::host::Host;

#[test]
fn a_read_becomes_a_finding() {
    if !can_load() {
        return;
    }
    let mut host = Host::new("");
    host.sensor.start();
    host.read(1);
    let findings = host.findings(1);
    assert_eq!(
        findings.len(),
        1,
        "{}\n{}",
        host.sensor.log(),
        host.detector.log()
    );
    let finding = &findings[0];
    assert_eq!(finding["detection"], "unusual_reader");
    assert_eq!(
        host.identity_of(&finding["credential"], &finding["evidence"][0]),
        "AKIAIOSFODNN7EXAMPLE"
    );
    assert!(
        finding["actor"]["process"]["exe_path"]
            .as_str()
            .expect("a path")
            .ends_with("/cat")
    );
    assert!(finding["summary"].as_str().expect("a sentence").contains("cat"));
    assert!(finding["elapsed_us"].as_u64().expect("a number") > 0);

    let uses = host.uses(1);
    assert_eq!(uses.len(), 1);
    assert_eq!(
        finding["evidence"][0], uses[0]["id"],
        "the finding names its evidence"
    );
    if let Some(expected) = expected_hook() {
        assert_eq!(uses[0]["observation"]["hook"], expected);
    }
}

#[test]
fn every_use_arrives_and_the_accounts_say_so() {
    if !can_load() {
        return;
    }
    let mut host = Host::new("");
    host.sensor.start();
    host.read(200);
    host.sensor.flush();
    let uses = host.uses(200);
    assert_eq!(uses.len(), 200, "what the generator did is what arrived");
    let mut sequences: Vec<_> = host
        .detector
        .read("events", "event")
        .iter()
        .filter_map(|event| event["id"]["sequence"].as_u64())
        .collect();
    sequences.sort_unstable();
    assert_eq!(
        sequences,
        (1..=sequences.len() as u64).collect::<Vec<_>>(),
        "no hole, nothing twice"
    );

    let status = host.sensor.status();
    for probe in status["probes"].as_array().expect("a list") {
        let number = |name: &str| probe[name].as_u64().expect("a number");
        let lost: u64 = probe["lost"]
            .as_object()
            .expect("an object")
            .values()
            .filter_map(Value::as_u64)
            .sum();
        // Other processes go on between the reading of two counters: what was seen may be ahead by those.
        assert!(number("seen") >= number("submitted") + lost, "{probe:#}");
        assert_eq!(lost, 0, "{probe:#}");
    }
    let accounts = &status["accounts"];
    let dropped: u64 = accounts["dropped"]
        .as_object()
        .expect("an object")
        .values()
        .filter_map(Value::as_u64)
        .sum();
    let received = accounts["received"].as_u64().expect("a number");
    let delivered = accounts["delivered"].as_u64().expect("a number");
    let waiting = accounts["waiting"].as_u64().expect("a number");
    assert_eq!(received, delivered + waiting + dropped, "{accounts:#}");
    assert!(delivered >= 200);
}

#[test]
fn what_happens_while_the_detector_is_away_arrives_when_it_is_back() {
    if !can_load() {
        return;
    }
    let mut host = Host::new("");
    host.sensor.start();
    host.read(1);
    assert_eq!(host.uses(1).len(), 1);
    host.detector.stop();
    host.read(5);
    let last = host.sensor.flush();
    assert!(last > 1, "flushing needs no detector");
    host.detector.restart();
    assert_eq!(host.uses(6).len(), 6, "{}", host.sensor.log());
    let log = host.sensor.log();
    let mut said: Vec<_> = log
        .lines()
        .filter_map(|line| line.split_once("WARN")?.1.split_once("reason="))
        .map(|(_, reason)| reason)
        .collect();
    let all = said.len();
    said.dedup_by_key(|reason| reason.split("waiting_batches").next().map(str::to_owned));
    assert!(
        (1..=2).contains(&all) && said.len() == all,
        "each reason is said once:\n{log}"
    );
}

#[test]
fn nothing_that_was_kept_is_lost_by_kill_9() {
    if !can_load() {
        return;
    }
    let mut host = Host::new("");
    host.sensor.start();
    host.detector.stop();
    host.read(20);
    host.sensor.flush();
    host.sensor.end(Signal::KILL);
    host.sensor.start();
    host.read(5);
    host.sensor.flush();
    host.detector.restart();
    let uses = host.uses(25);
    assert_eq!(uses.len(), 25, "{}", host.sensor.log());
    let findings = host.findings(1);
    assert!(
        findings
            .iter()
            .all(|finding| finding["detection"] != "evidence_chain_broken"),
        "the chain goes on over the kill"
    );
    let gaps: Vec<_> = host
        .detector
        .read("events", "event")
        .into_iter()
        .filter(|event| event["kind"] == "gap" && event["gap"]["reason"] == "not_watching")
        .collect();
    assert_eq!(gaps.len(), 1, "the time between is told: {gaps:#?}");
}

#[test]
fn the_detector_can_be_killed_too() {
    if !can_load() {
        return;
    }
    let mut host = Host::new("");
    host.sensor.start();
    for _ in 0..3 {
        host.read(10);
        host.detector.restart();
    }
    host.sensor.flush();
    assert_eq!(host.uses(30).len(), 30, "{}", host.sensor.log());
}
