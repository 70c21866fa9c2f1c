//! More than the ring holds: what is lost is counted, exactly.

use std::process::Command;

use claviger_tests::can_load;
use rustix::process::Signal;
use serde_json::Value;

use crate::{generator::only_keys, host::Host};

/// More first uses than records fit into the ring.
const FILES: u64 = 600;
/// Holds about 120 of them.
const RING_BYTES: u64 = 256 << 10;
/// What the sensor reads to test itself would be lost as well, where this host is so slow that its time comes meanwhile.
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
    let lost: u64 = events
        .iter()
        .filter_map(|event| event["gap"]["losses"].as_array())
        .flatten()
        .filter(|loss| loss["stage"] == "file_open")
        .filter_map(|loss| loss["count"].as_u64())
        .sum();
    assert!(lost > 0, "the ring was full");
    assert_eq!(told + lost, generated, "told {told}, lost {lost}");

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
