use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

use super::*;

fn own_run() -> ProgramRun {
    let (process, _) = super::super::proc_fs::program_of(std::process::id()).expect("this process");
    ProgramRun { process, exec_id: 1 }
}

fn sought(path: &str, object: (u64, u64)) -> Sought {
    let own = ProcessDirectory::own().expect("this process");
    Sought {
        run: own_run(),
        path: path.to_owned(),
        object,
        mount_namespace: own.namespace("mnt").expect("a number"),
        user_namespace: own.namespace("user").expect("a number"),
        ancestors: Vec::new(),
    }
}

fn object_of(path: &std::path::Path) -> (u64, u64) {
    let file = open(CWD, path.to_str().expect("plain"), ResolveFlags::empty()).expect("there");
    let stat = known(file.as_fd()).expect("known");
    let mounts = ProcessDirectory::own()
        .and_then(|own| own.read("mountinfo"))
        .expect("readable");
    let mount = mount_of(&mounts, stat.stx_mnt_id).expect("a mount");
    (mount.device, stat.stx_ino)
}

#[test]
fn the_file_that_lies_at_its_path_is_told_with_its_owner_and_another_is_not() {
    let directory = tempfile::tempdir().expect("a directory");
    let (program, other) = (directory.path().join("program"), directory.path().join("other"));
    for path in [&program, &other] {
        std::fs::write(path, "x").expect("written");
    }
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o750)).expect("set");
    let object = object_of(&program);
    let owner = std::fs::metadata(&program).expect("there").uid();
    let at = |path: &std::path::Path| {
        let sought = sought(path.to_str().expect("plain"), object);
        sought.look(true).expect("it may wait")
    };
    let place = at(&program);
    assert_eq!(
        (place.tree, place.owner_uid, place.mode, place.reason),
        (Tree::Host, Some(owner), Some(0o750), "")
    );
    assert_eq!(at(&other), Place::nowhere(OTHER_THERE));
    assert_eq!(at(&directory.path().join("none")), Place::nowhere(NONE_THERE));
    // Replaced by rename: what runs has no place any more.
    std::fs::rename(&other, &program).expect("replaced");
    assert_eq!(at(&program), Place::nowhere(OTHER_THERE));
}

#[test]
fn a_tree_in_a_user_namespace_of_its_own_is_not_believed() {
    let mut forged = sought("/nowhere/aws", (1, 1));
    forged.mount_namespace = 1;
    forged.user_namespace = 1;
    assert_eq!(forged.look(true), Ok(Place::nowhere(OF_USER)));
}

#[test]
fn of_a_process_that_is_gone_its_tree_is_unknown() {
    let mut gone = sought("/nowhere/aws", (1, 1));
    gone.mount_namespace = 1;
    assert_eq!(
        gone.look(true),
        Ok(Place::unknown(ENDED)),
        "it is in another namespace"
    );
    gone.run.process.start_ticks = 1;
    assert_eq!(gone.look(true), Ok(Place::unknown(ENDED)));
}

#[test]
fn the_device_of_a_mount_is_found_by_its_number() {
    let mounts = b"36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw\n\
                  36a 35 98:0 / /\xff rw - fuse x rw\n\
                  37 35 0:61 / /\xff rw - overlay overlay rw,lowerdir=/a\n";
    let found = mount_of(mounts, 37).expect("there");
    assert_eq!((found.device, found.is_overlay), (makedev(0, 61), true));
    assert!(!mount_of(mounts, 36).expect("there").is_overlay);
    assert_eq!(mount_of(mounts, 3), None);
    for broken in ["", "37", "37 35 x:y / / rw - overlay o rw", "37 35 0:61 / /"] {
        assert_eq!(mount_of(broken.as_bytes(), 37), None, "{broken}");
    }
}

#[test]
fn what_the_kernel_does_not_tell_is_unknown() {
    let file = tempfile::NamedTempFile::new().expect("made");
    let (device, inode) = object_of(file.path());
    let held = open(CWD, file.path().to_str().expect("plain"), ResolveFlags::empty()).expect("there");
    let elsewhere = (device + 1, inode);
    let compared = is_it(held.as_fd(), elsewhere, || None);
    assert!(matches!(compared, Compared::Unknown), "{compared:?}");
    let compared = is_it(held.as_fd(), elsewhere, ProcessDirectory::own);
    assert!(matches!(compared, Compared::Other), "{compared:?}");
}

#[test]
fn a_path_that_is_not_shown_as_it_is_is_not_looked_up() {
    let directory = tempfile::tempdir().expect("a directory");
    // Made to be found under the words that stand for other bytes.
    let decoy = directory.path().join("a\\xff");
    std::fs::write(&decoy, "x").expect("written");
    let sought = sought(decoy.to_str().expect("plain"), object_of(&decoy));
    assert_eq!(sought.look(true), Ok(Place::unknown(NOT_AS_SHOWN)));
}
