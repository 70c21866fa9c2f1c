//! Calls that the kernel never did, for seccomp answered them.

use std::collections::BTreeSet;

use claviger_tests::{
    can_load,
    ways::{Did, Programs},
};
use serde_json::Value;

use crate::{generator::only_keys, host::Host};

const KEY: &str = "-----BEGIN OPENSSH PRIVATE KEY-----\n";

/// How many calls the way makes.
const CALLS: i64 = 14;

/// What is told of whoever did a way, in a word or two each, and with which outcome.
fn told(way: &str) -> BTreeSet<String> {
    let (_catalogue, config) = only_keys();
    let mut host = Host::new(&config);
    host.decoy.write(".ssh/id_answered", KEY);
    let place = host.decoy.beside("programs");
    std::fs::create_dir_all(&place).expect("a directory");
    let programs = Programs::put(&place);
    host.sensor.start();
    let credential = host.decoy.path(".ssh/id_answered").display().to_string();
    let sensor = format!(
        "{}:{}",
        host.sensor.status()["pid"],
        host.sensor.config().display()
    );
    let (did, running) = programs.run(way, &credential, &sensor);
    drop(running);
    let Did::It {
        pid,
        errno: 0,
        target: CALLS,
    } = did
    else {
        panic!("{did:?}");
    };
    let events = host.arrived(host.sensor.flush());
    assert_eq!(
        host.sensor.status()["gaps"]["unacknowledged"]
            .as_u64()
            .unwrap_or(0),
        0
    );
    events
        .iter()
        .filter(|event| event["actor"]["process"]["pid"] == pid)
        .map(in_words)
        .collect()
}

fn in_words(event: &Value) -> String {
    let what = ["change", "tamper"]
        .iter()
        .find_map(|of| event[of]["what"].as_str());
    let part = event["process_secret"]["part"].as_str();
    let key = event["kernel_key"]["operation"].as_str();
    let word = |value: &Value| value.as_str().unwrap_or("?").to_owned();
    format!(
        "{} {} {}",
        word(&event["kind"]),
        what.or(part).or(key).unwrap_or("?"),
        word(&event["outcome"])
    )
}

#[test]
fn what_seccomp_answers_with_success_is_not_told() {
    if !can_load() {
        return;
    }
    assert_eq!(told("answered_by_seccomp"), BTreeSet::new());
}

/// The same calls: so it is by their outcome that the others are not told.
#[test]
fn what_seccomp_refuses_is_told_as_refused() {
    if !can_load() {
        return;
    }
    let expected = [
        "credential_change attributes denied",
        "credential_change mode denied",
        "credential_change owner denied",
        "credential_change removed denied",
        "credential_change truncated denied",
        "kernel_key_access read denied",
        "process_secret_access process_vm_readv denied",
        "sensor_tamper limit denied",
        "sensor_tamper mount_over denied",
        "sensor_tamper process denied",
        "sensor_tamper scheduling denied",
    ];
    assert_eq!(told("refused_by_seccomp"), expected.map(str::to_owned).into());
}
