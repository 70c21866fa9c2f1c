//! What overlayfs copies up, because a credential is changed through it.

use std::{
    ffi::CString,
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Instant,
};

use claviger_tests::{PATIENCE, can_load};
use rustix::{
    mount::{MountFlags, UnmountFlags, mount, unmount},
    process::Signal,
};

use serde_json::Value;

use crate::host::{Host, cat};

/// A mount, until this is dropped.
struct Mounted(PathBuf);

impl Drop for Mounted {
    fn drop(&mut self) {
        unmount(&self.0, UnmountFlags::DETACH).expect("it is there");
    }
}

/// An overlay of a directory in a new one, and its upper directory; nothing where the kernel has none.
fn overlay(lower: &Path, place: &Path) -> Option<(Mounted, PathBuf)> {
    let [upper, work, merged] = ["upper", "work", "merged"].map(|name| place.join(name));
    for directory in [&upper, &work, &merged] {
        fs::create_dir_all(directory).expect("a directory");
    }
    let (lower, work) = (lower.display(), work.display());
    let options = format!("lowerdir={lower},upperdir={},workdir={work}", upper.display());
    let options = CString::new(options).expect("a plain path");
    match mount(
        "overlay",
        &merged,
        "overlay",
        MountFlags::empty(),
        Some(&*options),
    ) {
        Ok(()) => Some((Mounted(merged), upper)),
        Err(error) => {
            eprintln!("skipped: no overlay can be mounted: {error}");
            None
        }
    }
}

#[test]
fn what_is_copied_up_is_a_credential_at_its_first_use_and_what_was_done_to_it_is_told() {
    if !can_load() {
        return;
    }
    // What appears with a mount is not left to a scan that comes by itself.
    let mut host = Host::new("version = 1\n", "");
    let config = fs::read_to_string(host.sensor.config()).expect("there");
    let slow = config.replace("rescan_interval_ms = 200", "rescan_interval_ms = 3600000");
    fs::write(host.sensor.config(), slow).expect("written");
    host.decoy
        .write(".ssh/id_layered", "-----BEGIN OPENSSH PRIVATE KEY-----\n");
    host.sensor.start();
    let directories = |host: &Host| host.sensor.status()["labelled"]["directories"].as_u64();
    let before = directories(&host);
    let place = host.decoy.beside("overlay");
    let Some((merged, upper)) = overlay(&host.decoy.path(".ssh"), &place) else {
        return;
    };
    host.wait("the upper directory is labelled", |status| {
        status["labelled"]["directories"].as_u64() > before
    });
    // By its whole path, and as a name in the directory that it is in.
    let path = merged.0.join("id_layered");
    for given in [&*path, Path::new("id_layered")] {
        let chmod = Command::new("/bin/chmod")
            .arg("0600")
            .arg(given)
            .current_dir(&merged.0)
            .status();
        assert!(chmod.expect("it runs").success());
    }
    let copy = upper.join("id_layered");
    assert!(copy.exists(), "it was copied up");
    cat(&copy);
    let uses = host.uses(&copy);
    let [read] = &uses[..] else {
        panic!("one read: {uses:#?}")
    };
    assert_eq!(read["credential"]["kind"], "ssh_private_key");
    let events = host.kept();
    let changes: Vec<_> = events
        .iter()
        .filter(|event| event["change"]["what"] == "mode" && event["credential"]["kind"] == "ssh_private_key")
        .collect();
    assert_eq!(changes.len(), 2, "{changes:#?}");
    let names = changes
        .iter()
        .map(|event| event["credential"]["path"].as_str().expect("text"));
    assert!(
        names.into_iter().all(|name| name.ends_with("/id_layered")),
        "{changes:#?}"
    );
}

/// What `cat` read of the test's own kind.
fn reads(host: &Host) -> Vec<Value> {
    let mut events = host.kept();
    events.retain(|event| {
        event["kind"] == "credential_access"
            && event["actor"]["process"]["comm"] == "cat"
            && event["credential"]["kind"] == "netrc_password"
    });
    events
}

/// As a container's tree, with the place of the catalogue in it: the files are those of the layers, which anybody on the host can read there.
#[test]
fn where_a_credential_lies_in_an_overlay_its_file_in_the_layer_is_known() {
    if !can_load() {
        return;
    }
    let directory = tempfile::tempdir().expect("a directory");
    let lower = directory.path().join("lower");
    fs::create_dir(&lower).expect("made");
    for name in ["token", "changed"] {
        fs::write(lower.join(name), "a decoy").expect("written");
    }
    let Some((merged, upper)) = overlay(&lower, directory.path()) else {
        return;
    };
    let glob = merged.0.join("*");
    let mut host = Host::new(
        &format!("version = 1\n[[entry]]\nid = \"own\"\nkind = \"netrc_password\"\nglobs = [{glob:?}]\n"),
        "",
    );
    host.sensor.start();
    let reads = || reads(&host);
    cat(&merged.0.join("token"));
    let through = reads();
    assert_eq!(through.len(), 1, "one open is one use: {through:#?}");
    cat(&lower.join("token"));
    let directly = reads();
    assert_eq!(directly.len(), 2, "{directly:#?}\n{}", host.sensor.log());
    assert_eq!(
        directly[1]["credential"]["inode"], through[0]["credential"]["inode"],
        "{directly:#?}"
    );
    // What is changed is copied up, and known there once that was looked at.
    fs::write(merged.0.join("changed"), "another decoy").expect("written");
    let begun = Instant::now();
    while reads().len() == 2 {
        cat(&upper.join("changed"));
        assert!(begun.elapsed() < PATIENCE, "{}", host.sensor.log());
    }
    host.sensor.end(Signal::TERM);
}

/// Before the agent has looked, a new file is known by its name only. What is told, and known by another name from then on, is the file of the layer: the numbers of
/// the overlay's own go to the next overlay.
#[test]
fn what_is_made_through_an_overlay_is_the_file_of_its_layer_from_the_first_use() {
    if !can_load() {
        return;
    }
    let directory = tempfile::tempdir().expect("a directory");
    let lower = directory.path().join("lower");
    fs::create_dir(&lower).expect("made");
    let Some((merged, upper)) = overlay(&lower, directory.path()) else {
        return;
    };
    let token = merged.0.join("token");
    let mut host = Host::new(
        &format!("version = 1\n[[entry]]\nid = \"own\"\nkind = \"netrc_password\"\nglobs = [{token:?}]\n"),
        "",
    );
    host.sensor.start();
    fs::write(&token, "a decoy").expect("written");
    for path in [&token, &upper.join("token")] {
        cat(path);
    }
    let reads = reads(&host);
    let [through, directly] = &reads[..] else {
        panic!("two reads: {reads:#?}\n{}", host.sensor.log())
    };
    for number in ["device", "inode", "generation"] {
        assert_eq!(
            through["credential"][number], directly["credential"][number],
            "{reads:#?}"
        );
    }
    host.sensor.end(Signal::TERM);
}
