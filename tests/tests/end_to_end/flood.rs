//! More than the ring holds: what is lost is counted, exactly.

use std::{
    collections::BTreeMap,
    process::Command,
    time::{Duration, Instant},
};

use claviger_tests::{PATIENCE, can_load};
use rustix::process::Signal;
use serde_json::Value;

use crate::{generator::only_keys, host::Host};

/// More first uses than records fit into the ring.
const FILES: u64 = 600;
/// Holds about 120 of them.
const RING_BYTES: u64 = 256 << 10;
/// What is read to test the sensor would be lost as well: the first test is made at the start, by a program that takes its time on a slow host, and no other is to come.
const SELF_TEST_INTERVAL_MS: u64 = 3_600_000;

#[test]
fn a_flood_is_delivered_or_counted_to_the_last_use() {
    if !can_load() {
        return;
    }
    let (_catalogue, config) = only_keys();
    let mut host = Host::new(&format!(
        "{config}\n[probes]\nring_bytes = {RING_BYTES}\nself_test_interval_ms = {SELF_TEST_INTERVAL_MS}"
    ));
    for number in 0..FILES {
        host.decoy.write(
            &format!(".ssh/id_{number}"),
            "-----BEGIN OPENSSH PRIVATE KEY-----\n",
        );
    }
    host.sensor.start();
    let is_tested = || {
        let done = &host.sensor.status()["self_test"]["done"];
        done.as_u64().expect("a number") > 0
    };
    let begun = Instant::now();
    while !is_tested() {
        assert!(begun.elapsed() < PATIENCE, "{}", host.sensor.log());
        std::thread::sleep(Duration::from_millis(20));
    }
    // While the agent stands still nobody empties the ring.
    host.sensor.signal(Signal::STOP);
    let generated = generate(&host);
    host.sensor.signal(Signal::CONT);
    let last = host.sensor.flush();
    assert_eq!(generated, FILES, "what the generator itself counted");

    let events = host.arrived(last);
    let directory = host.decoy.path(".ssh").display().to_string();
    let told: u64 = events
        .iter()
        .filter(|event| {
            event["credential"]["path"]
                .as_str()
                .is_some_and(|path| path.starts_with(&directory))
        })
        .filter_map(|event| event["count"].as_u64())
        .sum();
    let mut reasons = BTreeMap::<&str, u64>::new();
    let losses = events
        .iter()
        .filter_map(|event| event["gap"]["losses"].as_array())
        .flatten();
    for loss in losses.filter(|loss| loss["stage"] == "file_open") {
        let reason = loss["reason"].as_str().expect("a word");
        *reasons.entry(reason).or_default() += loss["count"].as_u64().expect("a number");
    }
    let lost: u64 = reasons.values().sum();
    assert!(lost > 0, "the ring was full");
    assert_eq!(told + lost, generated, "told {told}, lost {reasons:?}");

    let status = host.sensor.status();
    let probe = status["probes"]
        .as_array()
        .and_then(|probes| probes.iter().find(|probe| probe["probe"] == "file_open"))
        .expect("it is watched");
    let number = |value: &Value| value.as_u64().expect("a number");
    assert_eq!(
        number(&probe["seen"]),
        number(&probe["submitted"]) + number(&probe["lost"]["ring_full"]),
        "{probe:#}"
    );
}

/// Opens each file once, all in one process, and returns how many it opened.
fn generate(host: &Host) -> u64 {
    let script = "n=0; for file in \"$0\"/id_*; do read -r line <\"$file\" && n=$((n + 1)); done; echo $n";
    let output = Command::new("/bin/sh")
        .args(["-c", script])
        .arg(host.decoy.path(".ssh"))
        .output()
        .expect("runs");
    String::from_utf8_lossy(&output.stdout)
        .trim()
        .parse()
        .expect("a number")
}
