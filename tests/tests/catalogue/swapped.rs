//! What is told by its path, where that leads elsewhere when it is looked at.

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use claviger_tests::{
    PATIENCE, can_load,
    ways::{Did, Programs},
};

use rustix::process::Signal;
use serde_json::Value;
use tempfile::TempDir;

use crate::host::Host;

const EMPTY: &str = "version = 1\n";
const KEY: &str = "-----BEGIN OPENSSH PRIVATE KEY-----\ndecoy\n-----END OPENSSH PRIVATE KEY-----\n";

/// A host with one key, and programs that act on it.
fn watched() -> (Host, TempDir, Programs, PathBuf) {
    let mut host = Host::new(EMPTY, "");
    let place = tempfile::tempdir().expect("a directory");
    let programs = Programs::put(place.path());
    host.decoy.write(".ssh/id_one", KEY);
    host.sensor.start();
    let key = host.decoy.path(".ssh/id_one");
    (host, place, programs, key)
}

#[test]
fn what_is_opened_by_a_mount_that_lies_nowhere_is_told_with_the_path_by_which_it_is_known() {
    if !can_load() {
        return;
    }
    let (mut host, _place, programs, key) = watched();
    let (did, _holds) = programs.run("detached_file", key.to_str().expect("plain"), "");
    let Did::It { pid, errno: 0, .. } = did else {
        panic!("{did:?}");
    };
    let events = host.kept();
    let told: Vec<_> = events
        .iter()
        .filter(|event| event["kind"] == "credential_access" && event["actor"]["process"]["pid"] == pid)
        .map(|event| event["credential"]["path"].as_str().expect("a path"))
        .collect();
    assert_eq!(told, [key.to_str().expect("plain")], "{events:#?}");
    host.sensor.end(Signal::TERM);
}

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
    for way in ways {
        // One before it may have been told, and not lost.
        let lost = counted(&host.kept(), "path_changed");
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
        await_told_or_lost(&host, "credential_access", pid, "path_changed", lost + 1);
    }
}

/// The kernel has read the first part of the path, which says something else when the call has ended.
#[test]
fn a_path_that_its_process_supplies_while_it_is_read_is_no_proof_of_another_file() {
    if !can_load() {
        return;
    }
    let (mut host, _place, programs, key) = watched();
    let (did, _holds) = programs.run("crossed_unlink", key.to_str().expect("plain"), "");
    match did {
        Did::It { pid, errno: 0, .. } => {
            assert!(!key.exists(), "the kernel has read the path of the key");
            await_told_or_lost(&host, "credential_change", pid, "path_read_late", 1);
        }
        did => eprintln!("skipped: {did:?}"),
    }
    host.sensor.end(Signal::TERM);
}

/// A change by a ring that asks for no completion is followed as it is submitted, and runs when its process is elsewhere.
#[test]
fn a_change_that_waits_in_a_ring_is_told_or_counted_as_lost() {
    if !can_load() {
        return;
    }
    let (mut host, _place, programs, key) = watched();
    let other = host.decoy.path(".ssh/other");
    let text = |path: &std::path::Path| path.to_str().expect("plain").to_owned();
    let (did, _holds) = programs.run("uring_suppressed_moved", &text(&key), &text(&other));
    match did {
        Did::It { pid, errno: 0, .. } => {
            assert!(!key.exists(), "it was renamed");
            await_told_or_lost(&host, "credential_change", pid, "path_read_late", 1);
        }
        did => eprintln!("skipped: {did:?}"),
    }
    host.sensor.end(Signal::TERM);
}

/// Its path leads to a credential all the time, and nobody ever has it.
#[test]
fn an_open_that_never_runs_is_no_use() {
    if !can_load() {
        return;
    }
    let (mut host, _place, programs, key) = watched();
    let (did, holds) = programs.run("uring_suppressed_never", key.to_str().expect("plain"), "");
    let Did::It { pid, errno: 0, .. } = did else {
        eprintln!("skipped: {did:?}");
        return;
    };
    let is_told = |events: &[Value]| is_told_or_lost(events, "credential_access", pid, "path_changed", 1);
    // While it waits it was followed.
    std::thread::sleep(Duration::from_millis(500));
    assert!(!is_told(&host.kept()), "{}", host.sensor.log());
    drop(holds);
    std::thread::sleep(Duration::from_secs(1));
    assert!(!is_told(&host.kept()), "{}", host.sensor.log());
    host.sensor.end(Signal::TERM);
}

/// A gap goes out with what comes next, or a moment later.
fn await_told_or_lost(host: &Host, kind: &str, pid: u64, reason: &str, lost: u64) {
    let begun = Instant::now();
    while !is_told_or_lost(&host.kept(), kind, pid, reason, lost) {
        assert!(
            begun.elapsed() < PATIENCE,
            "{reason}: {:#}\n{}",
            host.sensor.status()["accounts"],
            host.sensor.log()
        );
        std::thread::sleep(Duration::from_millis(100));
    }
}

fn is_told_or_lost(events: &[Value], kind: &str, pid: u64, reason: &str, lost: u64) -> bool {
    let told = events
        .iter()
        .any(|event| event["kind"] == kind && event["actor"]["process"]["pid"] == pid);
    told || counted(events, reason) >= lost
}

fn counted(events: &[Value], reason: &str) -> u64 {
    let gaps = events.iter().filter(|event| event["kind"] == "gap");
    let losses = gaps.flat_map(|gap| gap["gap"]["losses"].as_array().into_iter().flatten());
    losses
        .filter(|loss| loss["reason"] == reason)
        .map(|loss| loss["count"].as_u64().expect("a number"))
        .sum()
}
