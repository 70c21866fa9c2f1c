//! Copies that lie at no path, or at none that the kernel half tells: in memory, unnamed, too deep; and written by another than the one that read.

use std::{fs, path::Path};

use claviger_tests::can_load;
use serde_json::Value;

use crate::{copier::Copies, host::cat};

/// By each of these ways a copy is made that is found at once, and its reads are told.
fn each_is_watched(ways: &[&str]) {
    if !can_load() {
        return;
    }
    let copies = Copies::new();
    let to = |how: &str| copies.host.decoy.beside(how);
    for how in ways {
        drop(copies.copied(how, &to(how)));
        cat(&to(how));
    }
    for how in ways {
        let uses = copies.host.uses(&to(how));
        assert_eq!(uses.len(), 1, "{how}: {}", copies.host.sensor.log());
    }
}

#[test]
fn a_copy_into_a_file_that_only_a_ring_has_open_is_watched() {
    each_is_watched(&["ring-before", "ring-after", "ring-anywhere", "ring-buffer"]);
}

#[test]
fn a_copy_into_a_file_that_another_process_has_opened_is_watched() {
    each_is_watched(&["given", "fetched"]);
}

#[test]
fn a_copy_by_a_process_that_shares_with_the_one_that_read_is_watched() {
    each_is_watched(&["shared-table", "shared-memory", "vforked"]);
}

#[test]
fn a_copy_at_no_path_is_watched_too() {
    if !can_load() {
        return;
    }
    let copies = Copies::new();
    let host = &copies.host;

    // It gets a name only when it is whole.
    let linked = host.decoy.beside("linked");
    let mut unnamed = copies.copied("unnamed", &linked);
    unnamed.go_on();
    drop(unnamed);
    cat(&linked);
    assert_eq!(host.uses(&linked).len(), 1, "{}", host.sensor.log());

    // What the next program has of it is what is open.
    drop(copies.copied("executed", Path::new("/")));

    // Somebody else reads it out of the process that has it.
    let in_memory = copies.copied("memory", Path::new("/"));
    let pid = in_memory.id();
    let number = fs::read_dir(format!("/proc/{pid}/fd"))
        .expect("there")
        .flatten()
        .map(|entry| entry.path())
        .find(|path| fs::read_link(path).is_ok_and(|to| to.to_string_lossy().contains("memfd:")))
        .expect("it has one");
    cat(&number);
    let read_memory = |events: &[Value]| {
        events
            .iter()
            .filter(|event| {
                event["kind"] == "credential_access"
                    && event["credential"]["catalogue_entry"] == "ssh-private-key"
                    && event["actor"]["process"]["comm"] == "cat"
                    && event["credential"]["path"] != linked.to_str().expect("plain")
            })
            .count()
    };
    assert_eq!(read_memory(&host.kept()), 1, "{}", host.sensor.log());
    drop(in_memory);

    let mut deep = host.decoy.beside("deep");
    for _ in 0..45 {
        deep.push("d");
    }
    fs::create_dir_all(&deep).expect("made");
    drop(copies.copied("plain", &deep.join("copy")));
    let forked = host.decoy.beside("forked");
    drop(copies.copied("forked", &forked));
    cat(&forked);
    assert_eq!(host.uses(&forked).len(), 1, "{}", host.sensor.log());
    // It had the file open for writing when the credential came to it, open, from another process.
    let received = host.decoy.beside("received");
    drop(copies.copied("received", &received));
    cat(&received);
    assert_eq!(host.uses(&received).len(), 1, "{}", host.sensor.log());
}
