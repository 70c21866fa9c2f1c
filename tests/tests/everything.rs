//! A pattern that names every file of the host. It has the sensor open them all, which nobody wants on a machine of his own: in a VM only.

use std::{
    fs,
    path::Path,
    process::Command,
    thread,
    time::{Duration, Instant},
};

use claviger_tests::{Decoy, Detector, Sensor, can_load, vm};
use serde_json::Value;

/// There are more files than this in any machine.
const SOME: u64 = 20;
const PATIENCE: Duration = Duration::from_secs(240);

/// What the sensor may take for it.
const MEMORY_MAX: u64 = 400 << 20;

fn cat(path: &Path) {
    let read = Command::new("/bin/cat").arg(path).output().expect("runs");
    assert!(read.status.success(), "{}", path.display());
}

#[test]
fn a_pattern_for_every_file_is_borne() {
    if !vm() || !can_load() {
        return;
    }
    let directory = tempfile::tempdir().expect("a directory");
    let catalogue = directory.path().join("catalogue.d");
    fs::create_dir(&catalogue).expect("made");
    fs::write(
        catalogue.join("all.toml"),
        "version = 1\n[[entry]]\nid = \"all\"\nkind = \"netrc_password\"\nglobs = [\"/**\"]\n",
    )
    .expect("written");
    let decoy = Decoy::new();
    decoy.write("anything/at/all", "a decoy");
    let detector = Detector::start(directory.path());
    let more = format!("directory = {:?}\n", catalogue.display().to_string());
    let mut sensor = Sensor::new(detector.address(), &decoy.home(), &more);
    assert!(
        sensor
            .enrol(detector.address(), &detector.token())
            .status
            .success()
    );
    sensor.start();
    let log = sensor.log();
    assert!(log.contains("names every file"), "{log}");
    // It is searched for by a thread of its own.
    let begun = Instant::now();
    let mut status = sensor.status();
    while status["labelled"]["files"].as_u64() < Some(SOME) {
        assert!(begun.elapsed() < PATIENCE, "{status:#}\n{}", sensor.log());
        thread::sleep(Duration::from_millis(500));
        status = sensor.status();
    }
    assert_eq!(status["labelled"]["not_labelled"], 0, "{status:#}");

    let (anything, known) = (decoy.path("anything/at/all"), decoy.path(".aws/credentials"));
    cat(&anything);
    cat(&known);
    sensor.flush();
    let entry_of = |path: &Path| -> Vec<Value> {
        let path = path.display().to_string();
        let events = detector.read("events", "event");
        let uses = events.iter().filter(|event| {
            event["credential"]["path"] == path && event["actor"]["process"]["comm"] == "cat"
        });
        uses.map(|event| event["credential"]["catalogue_entry"].clone())
            .collect()
    };
    // What is kept arrives in order.
    let begun = Instant::now();
    while entry_of(&known).is_empty() && begun.elapsed() < Duration::from_secs(60) {
        thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(
        entry_of(&known),
        ["aws-credentials"],
        "it stands behind all others"
    );
    assert_eq!(entry_of(&anything), ["all"]);
    let memory = sensor.status()["usage"]["resident_memory_bytes"].as_u64();
    assert!(memory < Some(MEMORY_MAX), "{memory:?}");
}
