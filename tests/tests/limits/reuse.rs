//! File systems give the number of a file that is gone to another one. ext4 does so at once, with another generation.
//!
//! tmpfs, which tells generations to nobody, gives its numbers in order (`shmem_reserve_inode`), the first one again after four thousand million files even with
//! `inode32`: no test can wait for that.

use std::{fs, os::unix::fs::MetadataExt as _, path::Path};

use claviger_tests::{Disk, can_load};

use crate::host::{Host, cat};

/// Files that are made to get a number again.
const TRIES: usize = 50;

#[test]
fn a_file_that_gets_the_number_of_a_credential_is_not_taken_for_it() {
    if !can_load() {
        return;
    }
    let Some(ext4) = Disk::ext4() else { return };
    let directory = ext4.path();
    let key = directory.join("key");
    let mut host = Host::new(
        &format!("version = 1\n[[entry]]\nid = \"own\"\nkind = \"netrc_password\"\nglobs = [{key:?}]\n"),
        "",
    );
    fs::write(&key, "a decoy").expect("written");
    host.sensor.start();
    cat(&key);
    assert_eq!(host.uses(&key).len(), 1, "{}", host.sensor.log());
    let number = inode(&key);
    fs::remove_file(&key).expect("removed");
    let mut reused = 0;
    let other = directory.join("other");
    for _ in 0..TRIES {
        fs::write(&other, "nothing").expect("written");
        if inode(&other) == number {
            reused += 1;
            cat(&other);
        }
        fs::remove_file(&other).expect("removed");
    }
    assert!(reused > 0, "none of {TRIES} files got the number");
    let uses = [&key, &other].map(|path| host.uses(path).len());
    assert_eq!(uses, [1, 0], "{}", host.sensor.log());
    host.sensor.end(rustix::process::Signal::TERM);
}

/// Neither of these file systems gives its files a generation, or tells when one was made.
#[test]
fn a_file_of_the_next_file_system_on_a_device_is_not_taken_for_a_credential_of_the_last() {
    if !can_load() {
        return;
    }
    let directory = tempfile::tempdir().expect("a directory");
    let trees = ["key", "other"].map(|name| {
        let tree = directory.path().join(format!("tree-{name}"));
        fs::create_dir(&tree).expect("made");
        fs::write(tree.join(name), "a decoy").expect("written");
        tree
    });
    let Some(first) = Disk::of_tree(&trees[0]) else {
        return;
    };
    let key = first.path().join("key");
    let mut host = Host::new(
        &format!("version = 1\n[[entry]]\nid = \"own\"\nkind = \"netrc_password\"\nglobs = [{key:?}]\n"),
        "",
    );
    host.sensor.start();
    cat(&key);
    assert_eq!(host.uses(&key).len(), 1, "{}", host.sensor.log());
    let (number, device) = (inode(&key), first.device());
    let labelled = |status: &serde_json::Value| status["labelled"]["files"].as_u64();
    let before = labelled(&host.sensor.status());
    drop(first);
    host.wait("what is not mounted any more is forgotten", |status| {
        labelled(status) < before
    });
    let Some(second) = Disk::of_tree(&trees[1]) else {
        return;
    };
    let other = second.path().join("other");
    if second.device() != device {
        eprintln!("not tested: the kernel chose another device");
        return;
    }
    assert_eq!(inode(&other), number);
    cat(&other);
    assert_eq!(host.uses(&other).len(), 0, "{}", host.sensor.log());
    host.sensor.end(rustix::process::Signal::TERM);
}

fn inode(path: &Path) -> u64 {
    fs::metadata(path).expect("there").ino()
}
