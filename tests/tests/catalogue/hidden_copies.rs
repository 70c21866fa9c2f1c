//! Copies that lie at no path, or at none that the kernel half tells: in memory, unnamed, too deep; and written by another than the one that read.

use std::{fs, path::Path, process::Command};

use claviger_tests::{Disk, can_load};
use rustix::process::Signal;
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
fn a_copy_is_watched_by_whatever_call_it_was_made() {
    each_is_watched(&["spliced", "sent", "ranged", "written-at", "mapped"]);
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

/// Files of which it was told that they may be copies.
fn told(copies: &Copies) -> u64 {
    let status = copies.host.sensor.status();
    let probes = status["probes"].as_array().expect("a list");
    let copied = probes.iter().find(|probe| probe["probe"] == "file_copied");
    copied.expect("a probe")["seen"].as_u64().expect("a number")
}

#[test]
fn at_a_program_start_only_what_has_changed_is_looked_at() {
    if !can_load() {
        return;
    }
    let copies = Copies::new();
    let mut copier = copies.start("starting", &copies.host.decoy.beside("open"));
    let all = told(&copies);
    assert!(
        all >= 120,
        "each when it was opened, and once it was written: {all}"
    );
    copier.go_on();
    assert!(copier.says_so());
    let unchanged = told(&copies);
    // Others may copy meanwhile; these are 60 files.
    assert!(unchanged < all + 60, "{all}, {unchanged}");
    copier.go_on();
    assert!(copier.says_so());
    assert!(told(&copies) > unchanged);
}

#[test]
fn a_copy_is_not_known_where_nothing_leads_from_the_reader_to_the_file() {
    if !can_load() {
        return;
    }
    let copies = Copies::new();
    let to = |how: &str| copies.host.decoy.beside(how);
    // To another process; and into what the reader has open nowhere, or not in its table.
    let ways = [
        "pipe",
        "socket",
        "segment",
        "injected",
        "mapped-before",
        "own-table",
    ];
    for how in ways {
        drop(copies.start(how, &to(how)));
    }
    // It is made after these, and known before any of them.
    drop(copies.copied("plain", &to("plain")));
    let all = ways.iter().chain(&["plain"]);
    all.for_each(|how| cat(&to(how)));
    assert_eq!(copies.host.uses(&to("plain")).len(), 1);
    for how in ways {
        assert_eq!(
            copies.host.uses(&to(how)).len(),
            0,
            "{how} is known: say so in README and ADR 0019"
        );
    }
    assert_eq!(copies.found(), 1, "{}", copies.host.sensor.log());
}

/// Copies into a file without a name that gets one, by a process that has ended when the sensor comes to look.
fn unnamed_and_over(copies: &Copies, to: &Path) {
    copies.host.sensor.signal(Signal::STOP);
    let ran = Command::new(&copies.program)
        .args([Path::new("unnamed-quick"), &copies.original, to])
        .status();
    copies.host.sensor.signal(Signal::CONT);
    assert!(ran.expect("runs").success());
}

#[test]
fn a_copy_that_only_its_number_leads_to_is_watched_on_a_disk_and_not_in_memory() {
    if !can_load() {
        return;
    }
    let copies = Copies::new();
    // Of a VM all is in memory.
    let in_memory = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir());
    let in_memory = in_memory.expect("a directory");
    let in_memory = in_memory.path().join("copy");
    unnamed_and_over(&copies, &in_memory);
    let plain = copies.host.decoy.beside("plain");
    drop(copies.copied("plain", &plain));
    assert_eq!(copies.found(), 1, "{}", copies.host.sensor.log());
    cat(&in_memory);
    assert_eq!(
        copies.host.uses(&in_memory).len(),
        0,
        "it is known: say so in README and ADR 0019"
    );

    let Some(disk) = Disk::ext4() else { return };
    let on_disk = disk.path().join("copy");
    unnamed_and_over(&copies, &on_disk);
    copies.host.wait("the one on the disk", |_| copies.found() == 2);
    cat(&on_disk);
    assert_eq!(
        copies.host.uses(&on_disk).len(),
        1,
        "{}",
        copies.host.sensor.log()
    );
}
