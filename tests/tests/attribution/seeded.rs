//! A process that was there before the sensor, behind the directory of another in /proc.

use std::{
    fs,
    io::{BufRead as _, BufReader, Write as _},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use claviger_tests::{Decoy, Detector, Sensor, actor, can_load};
use rustix::process::Signal;

#[test]
fn what_is_mounted_over_proc_is_not_believed() {
    if !can_load() {
        return;
    }
    let directory = tempfile::tempdir().expect("a directory");
    let decoy = Decoy::new();
    let program = actor(&decoy.beside("actor"));
    let target = decoy.path(".aws/credentials");
    let mut hidden = Command::new(&program)
        .arg("hidden-waits")
        .arg(&target)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("starts");
    let mut said = String::new();
    BufReader::new(hidden.stdout.take().expect("piped"))
        .read_line(&mut said)
        .expect("it says so");
    assert_eq!(said, "hidden\n", "the mount was made");
    let shown = fs::read_to_string(format!("/proc/{}/stat", hidden.id())).expect("something");
    assert!(shown.starts_with("1 "), "who looks there sees process 1: {shown}");

    let detector = Detector::start(directory.path());
    let mut sensor = Sensor::new(detector.address(), &decoy.home(), "");
    let enrolled = sensor.enrol(detector.address(), &detector.token());
    assert!(enrolled.status.success());
    sensor.start();
    hidden.stdin.take().expect("piped").write_all(b"go\n").expect("told");
    assert!(hidden.wait().expect("ended").success());
    sensor.flush();

    let begun = Instant::now();
    let process = loop {
        let events = detector.read("events", "event");
        let is_its = |event: &&serde_json::Value| {
            event["kind"] == "credential_access" && event["actor"]["process"]["pid"] == hidden.id()
        };
        if let Some(event) = events.iter().find(is_its) {
            break event["actor"]["process"].clone();
        }
        assert!(begun.elapsed() < Duration::from_secs(60), "{}", sensor.log());
        std::thread::sleep(Duration::from_millis(50));
    };
    assert_eq!(process["exe_path"], program.to_str().expect("plain"), "{process:#}");
    assert_eq!(process["comm"], "actor");
    assert_eq!(process["unknown_reason"], "");
    sensor.end(Signal::TERM);
}
