//! Files of file systems that have requests of their own, past the calls that open files.

use std::{fs, os::unix::fs::MetadataExt as _, path::Path, process::Command};

use claviger_tests::{
    Disk, can_load,
    ways::{Did, Programs},
};
use rustix::process::Signal;
use serde_json::Value;

use crate::host::{Host, text};

/// A host that watches one key.
fn watching(key: &Path) -> Host {
    let mut host = Host::new(
        &format!("version = 1\n[[entry]]\nid = \"own\"\nkind = \"netrc_password\"\nglobs = [{key:?}]\n"),
        "",
    );
    host.sensor.start();
    host
}

/// Does one way to a key. Who did it, where this machine can.
fn done(host: &Host, way: &str, key: &Path) -> Option<u64> {
    let directory = tempfile::tempdir().expect("a directory");
    let programs = Programs::put(directory.path());
    let (did, running) = programs.run(way, key.to_str().expect("plain"), "");
    drop(running);
    match did {
        Did::It { pid, errno: 0, .. } => Some(pid),
        Did::It { errno, .. } => panic!("{way}: errno {errno}\n{}", host.sensor.log()),
        Did::Nothing(why) => {
            eprintln!("not tested: {why}");
            None
        }
    }
}

fn by(events: &[Value], pid: u64) -> Vec<&Value> {
    events
        .iter()
        .filter(|event| event["actor"]["process"]["pid"] == pid)
        .collect()
}

fn is_of_subvolume(event: &Value) {
    assert_eq!(event["kind"], "process_secret_access");
    assert_eq!(event["process_secret"]["part"], "subvolume");
}

#[test]
fn what_xfs_opens_by_handle_is_told() {
    if !can_load() {
        return;
    }
    let Some(disk) = Disk::xfs() else { return };
    let key = disk.path().join("key");
    fs::write(&key, "a decoy").expect("written");
    let mut host = watching(&key);
    for way in ["xfs_open_by_handle", "xfs_open_to_run"] {
        let Some(pid) = done(&host, way, &key) else {
            return;
        };
        let events = host.kept();
        let told = by(&events, pid);
        assert_eq!(told.len(), 1, "{way}: {told:#?}\n{}", host.sensor.log());
        assert_eq!(told[0]["kind"], "credential_access");
        assert_eq!(told[0]["credential"]["path"], key.to_str().expect("plain"));
    }
    host.sensor.end(Signal::TERM);
}

fn btrfs(arguments: &[&str], paths: &[&Path]) {
    let made = Command::new("btrfs")
        .args(arguments)
        .args(paths)
        .output()
        .expect("runs");
    assert!(made.status.success(), "{}", text(&made));
}

/// Subvolumes of one file system share its device, and each counts its files from the same number on. Their generations tell them apart.
#[test]
fn files_of_the_same_number_in_two_subvolumes_are_told_apart() {
    if !can_load() {
        return;
    }
    let Some(disk) = Disk::btrfs() else { return };
    let [one, other, copied] = ["one", "other", "copied"].map(|name| disk.path().join(name));
    btrfs(&["subvolume", "create"], &[&one]);
    fs::write(one.join("key"), "a decoy").expect("written");
    // What is made in another transaction has another generation.
    btrfs(&["filesystem", "sync"], &[&disk.path()]);
    btrfs(&["subvolume", "create"], &[&other]);
    fs::write(other.join("notes"), "no decoy").expect("written");
    btrfs(&["subvolume", "snapshot"], &[&one, &copied]);
    let number = |file: &Path| fs::metadata(file).expect("there").ino();
    assert_eq!(number(&one.join("key")), number(&other.join("notes")));
    let mut host = watching(&one.join("key"));
    let told_after = |file: &Path| {
        let read = Command::new("cat").arg(file).output().expect("runs");
        assert!(read.status.success(), "{}", text(&read));
        let told = host.kept();
        told.iter()
            .filter(|event| {
                event["kind"] == "credential_access" && event["actor"]["process"]["comm"] == "cat"
            })
            .count()
    };
    assert_eq!(told_after(&one.join("key")), 1);
    assert_eq!(told_after(&other.join("notes")), 1);
    assert_eq!(
        told_after(&copied.join("key")),
        2,
        "a snapshot holds the same file"
    );
    host.sensor.end(Signal::TERM);
}

#[test]
fn a_subvolume_that_is_sent_or_searched_is_told() {
    if !can_load() {
        return;
    }
    let Some(disk) = Disk::btrfs() else { return };
    let (whole, copied) = (disk.path().join("whole"), disk.path().join("copied"));
    btrfs(&["subvolume", "create"], &[&whole]);
    fs::write(whole.join("key"), "a decoy").expect("written");
    fs::write(whole.join("much"), [7; 1 << 18]).expect("written");
    btrfs(&["subvolume", "snapshot", "-r"], &[&whole, &copied]);
    let key = copied.join("key");
    let mut host = watching(&key);
    btrfs(&["send", "-f", "/dev/null"], &[&copied]);
    let mut sent = host.kept();
    sent.retain(|event| event["actor"]["process"]["comm"] == "btrfs");
    assert_eq!(sent.len(), 1, "{sent:#?}\n{}", host.sensor.log());
    is_of_subvolume(&sent[0]);
    for (way, told) in [
        ("btrfs_send_32", 1),
        ("btrfs_search", 1),
        ("btrfs_search_across", 1),
        ("btrfs_search_beside", 0),
        ("btrfs_list", 0),
    ] {
        let Some(pid) = done(&host, way, &key) else { return };
        let events = host.kept();
        let by = by(&events, pid);
        assert_eq!(by.len(), told, "{way}: {by:#?}\n{}", host.sensor.log());
        by.iter().for_each(|event| is_of_subvolume(event));
    }
    // What it was cannot be found out any more.
    let Some(_) = done(&host, "btrfs_send_closed", &key) else {
        return;
    };
    let status = host.sensor.status();
    let mut probes = status["probes"].as_array().into_iter().flatten();
    let lost = probes.find(|probe| probe["probe"] == "process_secret");
    let lost = lost.map(|probe| probe["lost"]["descriptor_gone"].clone());
    assert_eq!(lost, Some(1.into()), "{status:#}");
    host.sensor.end(Signal::TERM);
}
