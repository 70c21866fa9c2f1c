//! What depends on a sensor that runs as a service: a process that was there before it, and what the detector makes of programs.

use std::{
    fs,
    io::{BufRead as _, BufReader, Write as _},
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use claviger_tests::{Decoy, Detector, PATIENCE, Sensor, actor, can_load, script};
use rustix::process::Signal;
use serde_json::Value;

use crate::cases::ARGUMENT;

#[test]
fn what_is_mounted_over_proc_is_not_believed() {
    if !can_load() {
        return;
    }
    let directory = tempfile::tempdir().expect("a directory");
    let decoy = Decoy::new();
    let program = actor(&decoy.beside("actor"));
    let target = decoy.path(".aws/credentials");
    let mut hidden = hide(&program, &target);

    let mut detector = Detector::start(directory.path());
    let mut sensor = Sensor::new(detector.address(), &decoy.home(), "[log]\nlevel = \"trace\"");
    let enrolled = sensor.enrol(detector.address(), &detector.token());
    assert!(enrolled.status.success());
    sensor.start();
    hidden
        .stdin
        .take()
        .expect("piped")
        .write_all(b"go\n")
        .expect("told");
    assert!(hidden.wait().expect("ended").success());
    let aws = script(&decoy.beside("aws"), "#!/bin/sh\nread x < $1\n");
    let read = Command::new(&aws).arg(&target).arg(ARGUMENT).status();
    assert!(read.expect("starts").success());
    sensor.flush();

    let of_hidden = wait_for(&detector, "events", "event", |event| {
        event["kind"] == "credential_access" && event["actor"]["process"]["pid"] == hidden.id()
    });
    let process = &of_hidden["actor"]["process"];
    assert_eq!(
        process["exe_path"],
        program.to_str().expect("plain"),
        "{process:#}"
    );
    assert_eq!(process["comm"], "actor");
    assert_eq!(process["unknown_reason"], "");

    // A script that is called as a usual reader is, elsewhere, is not taken for it.
    let aws = aws.to_str().expect("plain");
    let finding = wait_for(&detector, "findings", "finding", |finding| {
        finding["actor"]["process"]["script"]["path"] == aws
    });
    let summary = finding["summary"].as_str().expect("a sentence");
    assert!(summary.starts_with(&format!("{aws} run by ")), "{summary}");

    sensor.end(Signal::TERM);
    detector.stop();
    let mut searched = 0;
    for place in [&sensor.state(), detector.directory()] {
        search(place, &mut searched);
    }
    assert!(searched > 4, "there was something to search");
    for log in [sensor.log(), detector.log()] {
        assert!(!log.contains(ARGUMENT), "an argument is logged");
    }
}

/// Starts the actor, which hides behind process 1 and waits.
fn hide(program: &Path, target: &Path) -> Child {
    let mut hidden = Command::new(program)
        .arg("hidden-waits")
        .arg(target)
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
    hidden
}

/// The first that `is_it`, once it is there.
pub(crate) fn wait_for(detector: &Detector, what: &str, key: &str, is_it: impl Fn(&Value) -> bool) -> Value {
    let begun = Instant::now();
    loop {
        if let Some(found) = detector.read(what, key).into_iter().find(&is_it) {
            return found;
        }
        assert!(begun.elapsed() < PATIENCE, "none of the {what} is it");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Fails where any file holds the argument.
fn search(directory: &Path, searched: &mut usize) {
    for entry in fs::read_dir(directory).expect("there").flatten() {
        let path = entry.path();
        if path.is_dir() {
            search(&path, searched);
        } else if let Ok(content) = fs::read(&path) {
            *searched += 1;
            let holds = content
                .windows(ARGUMENT.len())
                .any(|window| window == ARGUMENT.as_bytes());
            assert!(!holds, "{} holds the argument", path.display());
        }
    }
}
