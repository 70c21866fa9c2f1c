//! Opens of which only the path is told, with a path that leads elsewhere when it is followed.

use std::time::{Duration, Instant};

use claviger_tests::{
    PATIENCE, can_load,
    ways::{Did, Programs},
};

use serde_json::Value;

use crate::host::Host;

const EMPTY: &str = "version = 1\n";
const KEY: &str = "-----BEGIN OPENSSH PRIVATE KEY-----\ndecoy\n-----END OPENSSH PRIVATE KEY-----\n";

/// By the object it is told; by a path that says nothing any more it is lost, and a signed gap says so.
#[test]
fn a_way_that_was_changed_in_the_same_call_is_no_proof_of_another_file() {
    if !can_load() {
        return;
    }
    let mut host = Host::new(EMPTY, "");
    let place = tempfile::tempdir().expect("a directory");
    let programs = Programs::put(place.path());
    let ways = [
        "uring_suppressed_closed_swapped",
        "uring_suppressed_closed_relative",
        "uring_suppressed_late_back",
    ];
    for way in ways {
        host.decoy.write(&format!(".ssh/id_{way}"), KEY);
    }
    host.sensor.start();
    let mut known = 0;
    for way in ways {
        let object = host.decoy.path(&format!(".ssh/id_{way}"));
        // Links are made beside it.
        let beside = place.path().join(format!("beside_{way}"));
        std::fs::create_dir(&beside).expect("made");
        let other = beside.join("other");
        let text = |path: &std::path::Path| path.to_str().expect("plain").to_owned();
        let (did, _holds) = programs.run(way, &text(&object), &text(&other));
        let pid = match did {
            Did::It { pid, errno: 0, .. } => pid,
            did => {
                eprintln!("skipped: {did:?}");
                continue;
            }
        };
        known += 1;
        // A gap goes out with what comes next, or a moment later.
        let begun = Instant::now();
        while !is_told_or_lost(&host.kept(), pid, known) {
            assert!(
                begun.elapsed() < PATIENCE,
                "{way}: {:#}\n{}",
                host.sensor.status()["accounts"],
                host.sensor.log()
            );
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}

fn is_told_or_lost(events: &[Value], pid: u64, lost: u64) -> bool {
    let told = events
        .iter()
        .any(|event| event["kind"] == "credential_access" && event["actor"]["process"]["pid"] == pid);
    let gaps = events.iter().filter(|event| event["kind"] == "gap");
    let losses = gaps.flat_map(|gap| gap["gap"]["losses"].as_array().into_iter().flatten());
    let counted: u64 = losses
        .filter(|loss| loss["reason"] == "path_changed")
        .map(|loss| loss["count"].as_u64().expect("a number"))
        .sum();
    told || counted >= lost
}
