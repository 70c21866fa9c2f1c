//! Requests of an io_uring that are cancelled, and of which nothing tells that they end.

use claviger_tests::{
    can_load,
    ways::{Did, Programs},
};
use rustix::process::Signal;

use crate::host::Host;

const KEY: &str = "-----BEGIN OPENSSH PRIVATE KEY-----\ndecoy\n-----END OPENSSH PRIVATE KEY-----\n";

/// What is kept until they end is let go, so that the next open of somebody else is told with its outcome.
#[test]
fn who_has_many_opens_cancelled_takes_nobody_elses_room() {
    if !can_load() {
        return;
    }
    let mut host = Host::new("version = 1\n", "");
    let place = tempfile::tempdir().expect("a directory");
    let programs = Programs::put(place.path());
    host.decoy.write(".ssh/id_refused", KEY);
    host.sensor.start();
    let key = host.decoy.path(".ssh/id_refused");
    let key = key.to_str().expect("plain");
    let (did, running) = programs.run("uring_cancelled", "/etc/hostname", "");
    drop(running);
    if let Did::Nothing(why) = did {
        eprintln!("not tested: {why}");
        return;
    }
    let (did, running) = programs.run("denied_uring_openat", key, "");
    drop(running);
    let Did::It { pid, errno, .. } = did else {
        panic!("{did:?}");
    };
    assert_ne!(errno, 0, "it is refused");
    let events = host.kept();
    let told: Vec<_> = events
        .iter()
        .filter(|event| event["actor"]["process"]["pid"] == pid)
        .map(|event| event["outcome"].as_str().unwrap_or_default())
        .collect();
    assert_eq!(told, ["denied"], "{}", host.sensor.log());
    let lost = |event: &serde_json::Value| event["gap"]["losses"].to_string().contains("too_many_in_flight");
    assert!(!events.iter().any(lost), "{events:#?}");
    host.sensor.end(Signal::TERM);
}

/// What is kept until they end is let go, so that there is room for the next change of somebody else's.
#[test]
fn who_has_many_changes_cancelled_takes_nobody_elses_room() {
    if !can_load() {
        return;
    }
    let mut host = Host::new("version = 1\n", "");
    let place = tempfile::tempdir().expect("a directory");
    let programs = Programs::put(place.path());
    host.decoy.write(".ssh/id_cancelled", KEY);
    host.sensor.start();
    let key = host.decoy.path(".ssh/id_cancelled");
    let (key, other) = (key.to_str().expect("plain"), place.path().join("other"));
    let other = other.to_str().expect("plain");
    for way in ["uring_cancelled_changes", "uring_renameat"] {
        let (did, running) = programs.run(way, key, other);
        drop(running);
        let pid = match did {
            Did::It { pid, errno: 0, .. } => pid,
            Did::It { errno, .. } => panic!("{way}: errno {errno}"),
            Did::Nothing(why) => {
                eprintln!("not tested: {why}");
                return;
            }
        };
        if way == "uring_renameat" {
            let events = host.kept();
            let told = |event: &&serde_json::Value| event["actor"]["process"]["pid"] == pid;
            let told: Vec<_> = events.iter().filter(told).collect();
            assert_eq!(told.len(), 1, "{told:#?}\n{}", host.sensor.log());
            assert_eq!(told[0]["change"]["what"], "renamed");
            let lost =
                |event: &serde_json::Value| event["gap"]["losses"].to_string().contains("too_many_in_flight");
            assert!(!events.iter().any(lost), "{events:#?}");
        }
    }
    host.sensor.end(Signal::TERM);
}
