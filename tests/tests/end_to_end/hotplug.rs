//! A CPU that goes offline takes no counts with it.

use std::{fs, path::Path};

use claviger_tests::{can_load, vm};
use serde_json::Value;

use crate::{
    generator::{make_keys, only_keys, stay_on, told, use_keys_on},
    host::Host,
};

const SWITCH: &str = "/sys/devices/system/cpu/cpu1/online";

/// Uses in each part.
const EACH: u64 = 8;

/// Whether a CPU may be taken away: never from the host that runs the tests.
fn can_unplug() -> bool {
    if !vm() {
        eprintln!("skipped: only a VM's CPU is taken offline");
        return false;
    }
    assert!(
        Path::new(SWITCH).exists(),
        "the VMs have two CPUs, and a kernel that lets one go"
    );
    true
}

fn switch(on: bool) {
    let state = if on { "1" } else { "0" };
    fs::write(SWITCH, state).expect("switched");
    assert_eq!(fs::read_to_string(SWITCH).expect("told").trim(), state);
}

#[test]
fn the_accounts_hold_while_a_cpu_goes_and_comes_back() {
    if !can_load() || !can_unplug() {
        return;
    }
    let (_catalogue, config) = only_keys();
    let mut host = Host::new(&config);
    make_keys(&host, 5 * EACH);
    host.sensor.start();
    // The sensor's commands read its own files, which is seen too: on a CPU of which that is known.
    stay_on(0);
    let before = seen_on(&host.sensor.status());

    let mut made = use_keys_on(&host, 1, 0..EACH);
    made.extend(use_keys_on(&host, 0, EACH..2 * EACH));
    switch(false);
    made.extend(use_keys_on(&host, 0, 2 * EACH..3 * EACH));
    let while_away = host.sensor.status();
    switch(true);
    made.extend(use_keys_on(&host, 1, 3 * EACH..4 * EACH));
    made.extend(use_keys_on(&host, 0, 4 * EACH..5 * EACH));

    let last = host.sensor.flush();
    let told = told(&host, &host.arrived(last));
    let all: Vec<u64> = made.keys().copied().collect();
    assert_eq!(told.keys().copied().collect::<Vec<_>>(), all);
    assert!(told.values().all(|count| *count == 1), "{told:?}");

    // The generator knows on which CPU it was.
    let [first, second] = grown(before, seen_on(&while_away));
    assert!(first >= 2 * EACH && second == EACH, "{first} and {second}");
    let status = host.sensor.status();
    let [first, second] = grown(before, seen_on(&status));
    assert!(first >= 3 * EACH && second == 2 * EACH, "{first} and {second}");
    for status in [while_away, status] {
        let probes = status["probes"].as_array().expect("a list");
        for cpu in probes
            .iter()
            .filter_map(|probe| probe["cpus"].as_array())
            .flatten()
        {
            let number = |name: &str| cpu[name].as_u64().expect("a number");
            // What happens between the reading of two counters may be ahead.
            assert!(
                number("seen") >= number("submitted") + number("lost"),
                "{status:#}"
            );
        }
        assert_eq!(status["unbalanced"], serde_json::json!({}), "{status:#}");
    }
}

fn grown(before: [u64; 2], now: [u64; 2]) -> [u64; 2] {
    [now[0] - before[0], now[1] - before[1]]
}

/// Opens of credentials that were seen on each CPU.
fn seen_on(status: &Value) -> [u64; 2] {
    let mut seen = [0; 2];
    let probes = status["probes"].as_array().expect("a list");
    let opens = probes
        .iter()
        .find(|probe| probe["probe"] == "file_open")
        .expect("it is watched");
    for cpu in opens["cpus"].as_array().expect("a list") {
        let place = usize::try_from(cpu["cpu"].as_u64().expect("a number")).expect("small");
        seen[place] = cpu["seen"].as_u64().expect("a number");
    }
    seen
}
