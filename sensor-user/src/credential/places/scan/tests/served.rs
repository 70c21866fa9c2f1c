//! What others serve: other hosts, and programs of root's and of other users.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use claviger_proto::catalogue::Catalogue;

use super::{Why, files, host, places};
use crate::credential::places::mounts::Mounts;
use crate::credential::places::scan::walk::walk;
use crate::credential::places::{Places, ScanLimits};

#[test]
fn what_others_serve_is_not_listed() {
    let root = host(&[
        "/home/ann/.aws/credentials",
        "/home/ann/.ssh/id_rsa",
        "/home/bob/.aws/credentials",
    ]);
    let mounts =
        Mounts::parse(b"1 2 0:1 / /home/ann rw - nfs4 s:/ rw\n1 2 0:1 / /home/bob rw - fuse.sshfs s:/ rw\n");
    let result = places()
        .scan_with(root.path(), &ScanLimits::default(), &mounts)
        .expect("scanned");
    assert_eq!(
        files(&result),
        [("/home/ann/.aws/credentials", "aws-credentials")]
    );
    assert!(result.left_out.count(Why::ServedElsewhere) >= 2);
}

#[test]
fn what_a_program_of_roots_serves_is_looked_into_but_not_searched() {
    let root = host(&[
        "/home/ann/.ssh/id_rsa",
        "/home/ann/x.pem",
        "/home/bob/.ssh/id_rsa",
    ]);
    let mounts =
        b"1 2 0:1 / /home/ann rw - fuse.x x rw,user_id=0\n1 2 0:1 / /home/bob rw - fuse.x x rw,user_id=7\n";
    let result = places()
        .scan_with(root.path(), &ScanLimits::default(), &Mounts::parse(mounts))
        .expect("scanned");
    let found: Vec<_> = files(&result).into_iter().map(|(path, _)| path).collect();
    assert_eq!(found, ["/home/ann/.ssh/id_rsa"]);
    assert_eq!(result.left_out.count(Why::ServedElsewhere), 1);
    let search = Places::for_search(Catalogue::shipped(), places().homes).expect("broad patterns");
    let result = search
        .scan_with(root.path(), &ScanLimits::of_search(), &Mounts::parse(mounts))
        .expect("scanned");
    assert!(files(&result).is_empty());
    assert!(result.left_out.count(Why::ServedElsewhere) >= 2);
}

#[test]
fn a_link_into_what_a_program_of_some_user_serves_is_not_followed() {
    let root = host(&[
        "/home/ann/mnt/key",
        "/home/ann/mnt/aws/credentials",
        "/srv/key",
        "/root/",
        "/home/bob/",
    ]);
    let link = |target: &str, at: &str| symlink(target, root.path().join(at)).expect("linked");
    link("mnt/key", "home/ann/.netrc");
    link("/srv/../home/./ann/mnt/aws", "home/ann/.aws");
    link("/home/ann/mnt", "srv/again");
    link("/srv/again/key", "home/bob/.netrc");
    link("/srv/key", "root/.netrc");
    let mounts = Mounts::parse(b"1 2 0:1 / /home/ann/mnt rw - fuse.x x rw,user_id=1000\n");
    let below = fs::File::open(root.path()).expect("a root").into();
    let touched = std::cell::RefCell::new(Vec::new());
    let step = |path: &Path| {
        touched.borrow_mut().push(path.to_owned());
        true
    };
    let result = walk(&places(), &below, &ScanLimits::default(), &mounts, &step);
    assert_eq!(files(&result), [("/root/.netrc", "netrc")]);
    assert_eq!(result.left_out.count(Why::ServedElsewhere), 3);
    let into = Path::new("/home/ann/mnt");
    assert!(touched.into_inner().iter().all(|path| !path.starts_with(into)));
}

#[test]
fn what_hung_before_and_what_a_program_serves_is_not_even_looked_at() {
    let root = host(&[
        "/home/ann/.aws/credentials",
        "/home/ann/.netrc",
        "/home/bob/.netrc",
    ]);
    let mounts = Mounts::parse(b"1 2 0:1 / /home/ann/.aws rw - fuse x rw\n");
    let told = std::cell::RefCell::new(Vec::new());
    let below = fs::File::open(root.path()).expect("a root").into();
    let step = |path: &Path| {
        let may_be_touched = path != Path::new("/home/ann/.netrc");
        if may_be_touched {
            told.borrow_mut().push(path.to_owned());
        }
        may_be_touched
    };
    let result = walk(&places(), &below, &ScanLimits::default(), &mounts, &step);
    assert_eq!(files(&result), [("/home/bob/.netrc", "netrc")]);
    assert_eq!(result.left_out.count(Why::ServedElsewhere), 2);
    let told = told.into_inner();
    let was_told = |path: &str| told.iter().any(|one| one == Path::new(path));
    assert!(was_told("/home/ann") && was_told("/home/bob/.netrc"));
    assert!(!was_told("/home/ann/.aws") && !was_told("/home/ann/.netrc"));
}
