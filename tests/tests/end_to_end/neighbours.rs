//! What else runs on the host, and what is left of us there.

use std::fs;

use claviger_tests::{can_load, sensor};
use rustix::process::Signal;

use crate::host::{Host, text};

#[test]
fn a_second_sensor_is_refused_and_a_trace_works_beside_it() {
    if !can_load() {
        return;
    }
    let mut host = Host::new("");
    host.sensor.start();
    let second = sensor()
        .args(["run", "--config"])
        .arg(host.sensor.config())
        .output()
        .expect("runs");
    assert_eq!(second.status.code(), Some(69), "{}", text(&second));
    assert!(text(&second).contains("another sensor runs"), "{}", text(&second));
    let command = [
        "/bin/cat".to_owned(),
        host.decoy.path(".aws/credentials").display().to_string(),
    ];
    let traced = claviger_tests::trace(host.sensor.config(), &command);
    assert_eq!(traced.events.len(), 1, "{}", traced.stderr);
    host.sensor.flush();
    // The trace opened the decoy to recognise it: that is recorded, as what it is.
    assert_eq!(host.uses(1).len(), 1, "both saw it");
    let path = host.decoy.path(".aws/credentials").display().to_string();
    let mut events = host.detector.read("events", "event");
    events.retain(|event| event["credential"]["path"] == path && event["actor"]["process"]["comm"] != "cat");
    assert!(!events.is_empty(), "the trace opened the decoy");
    assert!(
        events.iter().all(|event| event["actor"]["is_sensor"] == true),
        "{events:#?}"
    );
    let findings = host.detector.read("findings", "finding");
    let by_cat = findings.iter().filter(|finding| {
        finding["credential"]["path"] == path && finding["actor"]["process"]["comm"] == "cat"
    });
    assert_eq!(by_cat.count(), 1, "{findings:#?}");
    // That a process says it is a sensor excuses nothing, whatever was loaded into it; but it is told once for each severity.
    let by_trace = findings
        .iter()
        .filter(|finding| finding["actor"]["is_sensor"] == true)
        .count();
    assert!((1..=3).contains(&by_trace), "{findings:#?}");
}

#[test]
fn nothing_stays_behind() {
    if !can_load() {
        return;
    }
    let mounts = || {
        let mut mounts: Vec<String> = fs::read_to_string("/proc/self/mountinfo")
            .expect("mounted")
            .lines()
            .map(str::to_owned)
            .collect();
        mounts.sort();
        mounts
    };
    // Of a kernel with preloaded programs there are files from the start.
    let pinned = || fs::read_dir("/sys/fs/bpf").map_or(0, Iterator::count);
    let before = (mounts(), pinned());
    let mut host = Host::new("");
    host.sensor.start();
    host.read(1);
    assert_eq!(host.uses(1).len(), 1);
    host.sensor.end(Signal::KILL);
    let after = (mounts(), pinned());
    assert_eq!(
        after, before,
        "nothing is left mounted or pinned, even by kill -9"
    );
}

#[test]
fn who_asks_a_stopped_sensor_is_told_that_none_runs() {
    if !can_load() {
        return;
    }
    let mut host = Host::new("");
    host.sensor.start();
    let socket = host.sensor.state().with_file_name("run").join("control.sock");
    assert!(socket.exists(), "{}", socket.display());
    host.sensor.end(Signal::TERM);
    assert!(!socket.exists(), "{}", socket.display());
}
