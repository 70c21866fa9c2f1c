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

fn inode(path: &Path) -> u64 {
    fs::metadata(path).expect("there").ino()
}
