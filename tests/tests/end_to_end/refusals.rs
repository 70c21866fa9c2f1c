//! What is refused, and what is said then.

use std::fs;

use claviger_tests::{Detector, Sensor, can_load, sensor};

use crate::host::text;

#[test]
fn a_token_is_good_once() {
    let directory = tempfile::tempdir().expect("a directory");
    let detector = Detector::start(directory.path());
    let token = detector.token();
    let home = directory.path().join("home");
    let first = Sensor::new(detector.address(), &home, "");
    assert!(first.enrol(detector.address(), &token).status.success());
    let second = Sensor::new(detector.address(), &home, "").enrol(detector.address(), &token);
    assert_eq!(second.status.code(), Some(77), "{}", text(&second));
    assert!(text(&second).contains("used"), "{}", text(&second));
    let secret = token.split('.').nth(2).expect("the secret part");
    assert!(!text(&second).contains(secret), "an error never holds the secret");

    let nonsense = Sensor::new(detector.address(), &home, "").enrol(detector.address(), "clv1.nonsense");
    assert_eq!(nonsense.status.code(), Some(2), "{}", text(&nonsense));
    detector.command(&["sensors", "--json"]).output().expect("runs");
}

#[test]
fn who_is_not_enrolled_is_told_what_to_do() {
    if !can_load() {
        return;
    }
    let directory = tempfile::tempdir().expect("a directory");
    let not_enrolled = Sensor::new("127.0.0.1:1", directory.path(), "");
    let run = sensor()
        .args(["run", "--config"])
        .arg(not_enrolled.config())
        .output()
        .expect("runs");
    assert_ne!(run.status.code(), Some(0));
    assert!(text(&run).contains("claviger-sensor enrol"), "{}", text(&run));
}

#[test]
fn an_unknown_key_in_the_configuration_is_named() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("wrong.toml");
    fs::write(&path, "state_dri = \"/x\"\n").expect("written");
    let run = sensor()
        .args(["run", "--config"])
        .arg(&path)
        .output()
        .expect("runs");
    assert_eq!(run.status.code(), Some(78), "{}", text(&run));
    assert!(
        text(&run).contains("state_dri") && text(&run).contains("wrong.toml"),
        "{}",
        text(&run)
    );
}
