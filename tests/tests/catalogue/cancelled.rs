//! Requests of an io_uring that are cancelled, and of which nothing tells that they end.

use claviger_tests::{
    can_load,
    ways::{Did, Programs},
};

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
}
