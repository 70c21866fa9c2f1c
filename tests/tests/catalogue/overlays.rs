//! What overlayfs copies up, because a credential is changed through it.

use std::{
    ffi::CString,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use claviger_tests::can_load;
use rustix::mount::{MountFlags, UnmountFlags, mount, unmount};

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
