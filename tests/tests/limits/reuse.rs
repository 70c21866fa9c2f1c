//! File systems give the number of a file that is gone to another one. Some do so at once, and tmpfs does not tell generations to anybody.

use std::{fs, os::unix::fs::MetadataExt as _, path::Path};

use claviger_tests::can_load;

use crate::host::{Host, cat};

/// Files that are made to get a number again.
const TRIES: usize = 500;

#[test]
fn a_file_that_gets_the_number_of_a_credential_is_not_taken_for_it() {
    if !can_load() {
        return;
    }
    let here = tempfile::tempdir().expect("a directory");
    let shared = tempfile::tempdir_in("/dev/shm").expect("a directory");
    let directories = [here.path(), shared.path()];
    let globs = directories.map(|directory| format!("{}/key", directory.display()));
    let mut host = Host::new(
        &format!("version = 1\n[[entry]]\nid = \"own\"\nkind = \"netrc_password\"\nglobs = {globs:?}\n"),
        "",
    );
    for directory in directories {
        fs::write(directory.join("key"), "a decoy").expect("written");
    }
    host.sensor.start();
    for directory in directories {
        let key = directory.join("key");
        cat(&key);
        assert_eq!(host.uses(&key).len(), 1, "{}", host.sensor.log());
        let number = inode(&key);
        fs::remove_file(&key).expect("removed");
        let mut reused = 0;
        for _ in 0..TRIES {
            let other = directory.join("other");
            fs::write(&other, "nothing").expect("written");
            reused += usize::from(inode(&other) == number);
            if inode(&other) == number || reused == 0 {
                cat(&other);
            }
            fs::remove_file(&other).expect("removed");
        }
        println!("{}: {reused} of {TRIES} got the number", directory.display());
        let other = directory.join("other");
        assert_eq!(host.uses(&other).len(), 0, "{}", host.sensor.log());
    }
}

fn inode(path: &Path) -> u64 {
    fs::metadata(path).expect("there").ino()
}
