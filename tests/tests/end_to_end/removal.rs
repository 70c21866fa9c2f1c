//! An attacker removes what the sensor has not sent yet, or all of its state.

use std::{
    process::Command,
    thread::sleep,
    time::{Duration, Instant},
};

use claviger_tests::{PATIENCE, can_load, sensor};
use rustix::process::Signal;
use serde_json::Value;

use crate::host::{Host, text};

const EACH: usize = 3;

fn remove(path: &std::path::Path) {
    let removed = Command::new("/bin/rm")
        .arg("-rf")
        .arg(path)
        .output()
        .expect("runs");
    assert!(removed.status.success(), "{}", text(&removed));
}

fn detections<'a>(findings: &'a [Value], name: &'a str) -> impl Iterator<Item = &'a Value> {
    findings
        .iter()
        .filter(move |finding| finding["detection"] == name)
}

#[test]
fn a_spool_that_is_removed_is_told_and_hides_nothing_that_comes_after() {
    if !can_load() {
        return;
    }
    let mut host = Host::new("");
    let spool = host.sensor.state().join("spool");
    host.sensor.start();
    host.read(EACH);
    host.arrived(host.sensor.flush());

    // While it runs, with the detector away, so that something is lost.
    host.detector.stop();
    host.read(EACH);
    let lost_from = host.sensor.flush();
    remove(&spool);
    host.read(EACH);
    assert!(host.sensor.flush() > lost_from, "it goes on");
    assert!(spool.is_dir(), "made anew");
    host.detector.restart();
    host.read(EACH);
    host.arrived(host.sensor.flush());

    // Between a kill and the next start, at once.
    host.read(EACH);
    host.sensor.flush();
    host.sensor.end(Signal::KILL);
    remove(&spool);
    host.sensor.start();
    host.read(EACH);
    let last = host.sensor.flush();
    let events = host.arrived(last);

    let mut sequences: Vec<u64> = events
        .iter()
        .filter_map(|event| event["id"]["sequence"].as_u64())
        .collect();
    let all = sequences.len();
    sequences.sort_unstable();
    sequences.dedup();
    assert_eq!(sequences.len(), all, "a sequence came twice");
    assert_eq!(sequences.last(), Some(&last), "the detector takes what comes now");

    // What is not there is named by the gaps.
    let gaps: Vec<&Value> = events
        .iter()
        .map(|event| &event["gap"])
        .filter(|gap| gap["reason"] == "spool_removed")
        .collect();
    assert!(gaps.len() >= 2, "{events:#?}");
    let named = |sequence: u64| {
        gaps.iter().any(|gap| {
            let bound = |name: &str| gap[name].as_u64().unwrap_or(0);
            (bound("first_lost_sequence")..=bound("last_lost_sequence")).contains(&sequence)
        })
    };
    for sequence in 1..=last {
        assert!(
            sequences.binary_search(&sequence).is_ok() || named(sequence),
            "{sequence} is neither there nor said to be lost: {gaps:#?}"
        );
    }

    let findings = host.detector.read("findings", "finding");
    assert_eq!(
        detections(&findings, "evidence_forked").count(),
        0,
        "{findings:#?}"
    );
    // A gap comes behind what was sealed when the removal was noticed: each break is explained by the next batch.
    assert_eq!(
        detections(&findings, "evidence_chain_broken").count(),
        detections(&findings, "evidence_gap_explained").count(),
        "{findings:#?}"
    );
    let removed: Vec<_> = detections(&findings, "evidence_removed").collect();
    assert!(removed.len() >= 2, "{findings:#?}");
    assert!(
        removed.iter().all(|finding| finding["severity"] == "high"),
        "{removed:#?}"
    );
    // And who did it, where the sensor ran.
    let by_rm = detections(&findings, "sensor_tampered")
        .filter(|finding| finding["actor"]["process"]["comm"] == "rm")
        .count();
    assert!(by_rm >= 1, "{findings:#?}");
    // Whoever read after each removal is told.
    assert!(host.uses(4 * EACH).len() >= 4 * EACH);
}

/// Without a spool and without what says how far it had come, and in the same boot.
#[test]
fn what_cannot_be_known_is_said_as_not_known() {
    if !can_load() {
        return;
    }
    let mut host = Host::new("");
    host.sensor.start();
    host.read(EACH);
    host.arrived(host.sensor.flush());
    host.sensor.end(Signal::TERM);
    remove(&host.sensor.state().join("spool"));
    remove(&host.sensor.state().join("identity/chain"));
    host.sensor.start();
    host.read(EACH);
    let last = host.sensor.flush();
    assert_eq!(host.arrived(last).last().expect("some")["id"]["sequence"], last);
    let findings = host.detector.read("findings", "finding");
    assert_eq!(
        detections(&findings, "evidence_forked").count(),
        0,
        "{findings:#?}"
    );
    assert_eq!(
        detections(&findings, "evidence_removed").count(),
        1,
        "{findings:#?}"
    );
    let unproven: Vec<_> = detections(&findings, "evidence_chain_broken").collect();
    assert_eq!(unproven.len(), 1, "{findings:#?}");
    let summary = unproven[0]["summary"].as_str().expect("text");
    assert!(summary.contains("does not know what it sealed last"), "{summary}");
}

#[test]
fn without_its_state_a_sensor_says_that_it_is_not_enrolled() {
    let host = Host::new("");
    remove(&host.sensor.state());
    let run = sensor()
        .args(["run", "--config"])
        .arg(host.sensor.config())
        .output()
        .expect("runs");
    assert_eq!(run.status.code(), Some(78), "{}", text(&run));
    assert!(text(&run).contains("is not enrolled"), "{}", text(&run));
}

/// As a service manager does it that restarts at once.
#[test]
fn a_sensor_that_is_killed_can_be_started_again_at_once() {
    if !can_load() {
        return;
    }
    let (_, listen) = crate::host::listening();
    let mut host = Host::new(&listen);
    for _ in 0..2 {
        host.sensor.start();
        host.sensor.kill_without_waiting();
    }
    host.sensor.start();
    host.read(EACH);
    let begun = Instant::now();
    while host.uses(EACH).len() < EACH && begun.elapsed() < PATIENCE {
        sleep(Duration::from_millis(50));
    }
    assert_eq!(host.uses(EACH).len(), EACH);
}

#[test]
fn what_cannot_be_kept_is_not_said_to_be_kept() {
    if !can_load() {
        return;
    }
    let small = "[spool]\nmax_bytes = 131072\nsegment_bytes = 65536\nwhen_full = \"drop_newest\"";
    let mut host = Host::new(small);
    host.detector.stop();
    host.sensor.start();
    let flush = || {
        sensor()
            .args(["flush", "--config"])
            .arg(host.sensor.config())
            .output()
            .expect("runs")
    };
    let begun = Instant::now();
    let mut flushed = flush();
    assert_eq!(flushed.status.code(), Some(0), "{}", text(&flushed));
    while flushed.status.success() && begun.elapsed() < PATIENCE {
        host.read(10);
        flushed = flush();
    }
    assert_eq!(flushed.status.code(), Some(1), "{}", text(&flushed));
    assert!(
        text(&flushed).contains("could not be kept and is lost"),
        "{}",
        text(&flushed)
    );
}

/// Anybody may make one; what it leads to is as it was.
#[test]
fn a_link_to_a_file_of_the_sensor_is_no_change_of_it() {
    if !can_load() {
        return;
    }
    let mut host = Host::new("");
    host.sensor.start();
    let directory = tempfile::tempdir().expect("a directory");
    let own = host.sensor.state().join("identity");
    std::os::unix::fs::symlink(&own, directory.path().join("link")).expect("made");
    let told = |host: &Host| -> Vec<Value> {
        let mut events = host.arrived(host.sensor.flush());
        events.retain(|event| {
            event["kind"] == "sensor_tamper" && event["actor"]["process"]["pid"] == std::process::id()
        });
        events
    };
    let events = told(&host);
    assert!(events.is_empty(), "{events:#?}");
    // One that takes the place of such a file is told.
    std::os::unix::fs::symlink("elsewhere", own.join("other")).expect("made");
    let events = told(&host);
    assert_eq!(events.len(), 1, "{events:#?}\n{}", host.sensor.log());
}
