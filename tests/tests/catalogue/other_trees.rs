//! Changes, and refused opens, in trees of files that are not the sensor's: in other mount namespaces, below other roots, in detached mounts.

use std::{
    fs::{self, Permissions},
    os::unix::fs::{MetadataExt as _, PermissionsExt as _},
    process::Command,
    time::{Duration, Instant},
};

use claviger_tests::{
    PATIENCE, can_load,
    ways::{Did, Programs},
};
use rustix::process::Signal;

use crate::{
    changes::{EMPTY, KEY, changes},
    host::Host,
};

/// What lies at a credential's path in another tree is another file: nothing of the credential's is said of it, nor is it taken for the credential afterwards.
#[test]
fn a_change_in_another_tree_is_none_of_the_credential() {
    if !can_load() {
        return;
    }
    let mut host = Host::new(EMPTY, "");
    host.decoy.write(".ssh/id_one", KEY);
    let one = host.decoy.path(".ssh/id_one");
    host.sensor.start();
    let inode = fs::metadata(&one).expect("there").ino();
    let directory = tempfile::tempdir().expect("a directory");
    let programs = Programs::put(directory.path());
    for way in ["own_tree", "own_detached"] {
        let (did, running) = programs.run(way, one.to_str().expect("plain"), "");
        drop(running);
        let Did::It { pid, errno: 0, .. } = did else {
            panic!("{did:?}");
        };
        let events = host.kept();
        let by_it = events
            .iter()
            .filter(|event| event["kind"] == "credential_change" && event["actor"]["process"]["pid"] == pid);
        for event in by_it {
            assert_ne!(event["credential"]["inode"], inode, "{event:#}");
            assert_eq!(
                event["credential"]["identities"],
                serde_json::json!([]),
                "{event:#}"
            );
        }
    }
    fs::set_permissions(&one, Permissions::from_mode(0o640)).expect("set");
    let told = changes(&host, &one);
    assert_eq!(told.len(), 1, "{told:#?}");
    assert_eq!(told[0]["credential"]["inode"], inode, "{told:#?}");
    host.sensor.end(Signal::TERM);
}

/// Who has another root gives other paths to the same file.
#[test]
fn a_change_from_below_another_root_is_of_the_credential() {
    if !can_load() {
        return;
    }
    let mut host = Host::new(EMPTY, "");
    host.decoy.write(".ssh/id_one", KEY);
    let one = host.decoy.path(".ssh/id_one");
    host.sensor.start();
    let inode = fs::metadata(&one).expect("there").ino();
    let directory = tempfile::tempdir().expect("a directory");
    let programs = Programs::put(directory.path());
    let (did, running) = programs.run("chroot_chmod", one.to_str().expect("plain"), "");
    drop(running);
    let Did::It { pid, errno: 0, .. } = did else {
        panic!("{did:?}");
    };
    let mut told = host.kept();
    told.retain(|event| event["kind"] == "credential_change" && event["actor"]["process"]["pid"] == pid);
    assert_eq!(told.len(), 1, "{told:#?}");
    assert_eq!(told[0]["change"]["after"], "0640", "{told:#?}");
    let credential = &told[0]["credential"];
    assert_eq!(credential["inode"], inode, "{told:#?}");
    assert_eq!(credential["path"], one.to_str().expect("plain"), "{told:#?}");
    host.sensor.end(Signal::TERM);
}

/// Who has used a path and leaves the tree at once hides nothing: what it led to is told, or counted as lost.
#[test]
fn what_is_used_before_its_tree_is_left_is_told_or_counted() {
    if !can_load() {
        return;
    }
    let mut host = Host::new(EMPTY, "");
    host.decoy.write(".ssh/id_one", KEY);
    let key = host.decoy.path(".ssh/id_one");
    fs::set_permissions(&key, Permissions::from_mode(0o600)).expect("set");
    host.sensor.start();
    let directory = tempfile::tempdir().expect("a directory");
    // Whoever may do nothing goes through it.
    fs::set_permissions(directory.path(), Permissions::from_mode(0o755)).expect("set");
    let programs = Programs::put(directory.path());
    let own = host.sensor.config().to_owned();
    let cases = [
        ("left_changed", &own, "sensor_tamper", "path_not_followed"),
        ("left_refused", &key, "credential_access", "refused_not_followed"),
        ("outside_refused", &key, "credential_access", "nothing"),
        (
            "detached_refused",
            &key,
            "credential_access",
            "refused_not_followed",
        ),
    ];
    for (way, object, kind, reason) in cases {
        let counted = |host: &Host| {
            let lost = &host.sensor.status()["accounts"]["lost"][reason];
            lost.as_u64().unwrap_or(0)
        };
        let before = counted(&host);
        let other = directory.path().join(way);
        // It looks only afterwards.
        host.sensor.signal(Signal::STOP);
        let (did, running) = programs.run(
            way,
            object.to_str().expect("plain"),
            other.to_str().expect("plain"),
        );
        host.sensor.signal(Signal::CONT);
        let pid = match did {
            Did::It { pid, .. } => pid,
            Did::Nothing(step) => {
                eprintln!("not tested: {way}: {step}");
                continue;
            }
        };
        let told = |host: &Host| {
            let mut events = host.kept().into_iter();
            events.any(|event| event["kind"] == kind && event["actor"]["process"]["pid"] == pid)
        };
        let begun = Instant::now();
        while !told(&host) && counted(&host) == before {
            assert!(
                begun.elapsed() < PATIENCE,
                "{way} is neither told nor counted\n{}",
                host.sensor.log()
            );
            std::thread::sleep(Duration::from_millis(50));
        }
        drop(running);
    }
    host.sensor.end(Signal::TERM);
}

/// What lies at a credential's path in a tree that the sensor has looked into is another file: what is done to the host's is told of that.
#[test]
fn a_change_is_of_the_host_s_file_while_another_tree_has_one_there() {
    if !can_load() {
        return;
    }
    let mut host = Host::new(EMPTY, "");
    host.decoy.write(".ssh/id_one", KEY);
    let one = host.decoy.path(".ssh/id_one");
    host.sensor.start();
    let inode = fs::metadata(&one).expect("there").ino();
    let script = "cp \"$1\" \"$2\"; mount -t tmpfs own \"$(dirname \"$1\")\" || exit 1; cp \"$2\" \"$1\"; \
                  exec sh -c 'while sleep 0.1; do cat \"$1\" > /dev/null; done' loop \"$1\"";
    let aside = tempfile::NamedTempFile::new().expect("a file");
    let mut other = Command::new("unshare")
        .args(["--mount", "sh", "-c", script, "other"])
        .args([&one, aside.path()])
        .spawn()
        .expect("runs");
    let is_met = |host: &Host| {
        let mut events = host.kept().into_iter();
        events.any(|event| {
            event["kind"] == "credential_access"
                && event["credential"]["path"] == one.to_str().expect("plain")
                && event["credential"]["inode"] != inode
        })
    };
    let begun = Instant::now();
    while !is_met(&host) {
        if let Some(ended) = other.try_wait().expect("ours") {
            eprintln!("not tested: no mounts of its own: {ended}");
            return;
        }
        assert!(
            begun.elapsed() < PATIENCE,
            "the other tree is not looked into\n{}",
            host.sensor.log()
        );
        std::thread::sleep(Duration::from_millis(100));
    }
    fs::set_permissions(&one, Permissions::from_mode(0o640)).expect("set");
    let told = changes(&host, &one);
    other.kill().expect("ours");
    other.wait().expect("ours");
    assert_eq!(told.len(), 1, "{told:#?}");
    assert_eq!(told[0]["credential"]["inode"], inode, "{told:#?}");
    host.sensor.end(Signal::TERM);
}
