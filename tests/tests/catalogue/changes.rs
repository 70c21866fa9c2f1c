//! Changes of credentials, as they are told, and what a host full of other changes does to the rest.

use std::{
    fs::{self, Permissions},
    os::unix::fs::{MetadataExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use claviger_tests::{
    Disk, PATIENCE, can_load,
    ways::{Did, Programs},
};
use rustix::process::Signal;
use serde_json::Value;

use crate::host::{Host, cat};

pub(crate) const EMPTY: &str = "version = 1\n";
pub(crate) const KEY: &str = "-----BEGIN OPENSSH PRIVATE KEY-----\nwJalrXUtnFEMI/K7MDENG/bPxRfiCYDECOYSECRET\n-----END OPENSSH PRIVATE KEY-----\n";

/// Changes that this process made of a credential.
pub(crate) fn changes(host: &Host, path: &Path) -> Vec<Value> {
    let path = path.display().to_string();
    let mut events = host.kept();
    events.retain(|event| {
        event["kind"] == "credential_change"
            && event["credential"]["path"] == path
            && event["actor"]["process"]["pid"] == std::process::id()
    });
    events
}

fn account(status: &Value, probe: &str) -> (u64, u64, u64) {
    let probes = status["probes"].as_array().expect("a list");
    let found = probes.iter().find(|one| one["probe"] == probe).expect("there");
    let lost = found["lost"].as_object().expect("a map");
    (
        found["seen"].as_u64().expect("a number"),
        found["submitted"].as_u64().expect("a number"),
        lost.values().filter_map(Value::as_u64).sum(),
    )
}

#[test]
fn a_change_is_told_with_what_was_before() {
    if !can_load() {
        return;
    }
    let mut host = Host::new(EMPTY, "");
    host.decoy.write(".ssh/id_one", KEY);
    let one = host.decoy.path(".ssh/id_one");
    fs::set_permissions(&one, Permissions::from_mode(0o600)).expect("set");
    host.sensor.start();
    let inode = fs::metadata(&one).expect("there").ino();

    fs::set_permissions(&one, Permissions::from_mode(0o640)).expect("set");
    let told = changes(&host, &one);
    assert_eq!(told.len(), 1, "{told:#?}");
    assert_eq!(told[0]["change"]["what"], "mode");
    assert_eq!(told[0]["change"]["after"], "0640");
    assert_eq!(told[0]["credential"]["inode"], inode);
    let before = told[0]["change"]["before"].as_str().expect("text");
    let by_path = told[0]["credential"]["matched_by"] == "path_as_given";
    assert_eq!(before, if by_path { "" } else { "0600" });

    // As editors and rotating tools do: written beside it, and put over it.
    let beside = host.decoy.path(".ssh/.id_one.new");
    fs::write(&beside, KEY).expect("written");
    fs::rename(&beside, &one).expect("renamed");
    let told = changes(&host, &one);
    assert_eq!(told.len(), 2, "{told:#?}");
    assert_eq!(told[1]["change"]["what"], "replaced");
    assert_eq!(
        told[1]["change"]["before"],
        beside.display().to_string(),
        "{:#}",
        told[1]
    );
    fs::remove_file(&one).expect("removed");
    let told = changes(&host, &one);
    assert_eq!(told.len(), 3, "{told:#?}");
    assert_eq!(told[2]["change"]["what"], "removed");
    let all = format!("{:#?}", host.kept());
    assert!(!all.contains("wJalrXUtnFEMI"), "no secret is told");
}

#[test]
fn a_change_by_descriptor_alone_is_told_also_where_the_call_takes_a_path() {
    if !can_load() {
        return;
    }
    let mut host = Host::new(EMPTY, "");
    let place = tempfile::tempdir().expect("a directory");
    let programs = Programs::put(place.path());
    host.decoy.write(".ssh/id_one", KEY);
    host.sensor.start();
    let one = host.decoy.path(".ssh/id_one");
    let (did, _holds) = programs.run("setxattrat_without_path", one.to_str().expect("plain"), "");
    let Did::It { pid, errno: 0, .. } = did else {
        eprintln!("skipped: {did:?}");
        return;
    };
    let events = host.kept();
    let told: Vec<_> = events
        .iter()
        .filter(|event| event["kind"] == "credential_change" && event["actor"]["process"]["pid"] == pid)
        .map(|event| (&event["change"]["what"], &event["credential"]["inode"]))
        .collect();
    let inode = fs::metadata(&one).expect("there").ino();
    assert_eq!(
        told,
        [(&Value::from("attributes"), &Value::from(inode))],
        "{events:#?}"
    );
    host.sensor.end(Signal::TERM);
}

#[test]
fn a_credential_that_was_away_and_came_back_is_known_for_the_file_that_it_is() {
    if !can_load() {
        return;
    }
    let mut host = Host::new(EMPTY, "");
    host.decoy.write(".kube/config", "a decoy");
    let [config, away] = ["config", "config.away"].map(|name| host.decoy.path(".kube").join(name));
    host.sensor.start();
    let inode = fs::metadata(&config).expect("there").ino();
    fs::rename(&config, &away).expect("renamed");
    fs::rename(&away, &config).expect("renamed");
    // Once the places were looked through again.
    let begun = Instant::now();
    for mode in (0o400..0o777).cycle() {
        fs::set_permissions(&config, Permissions::from_mode(mode)).expect("set");
        let told = changes(&host, &config);
        let last = told.last().expect("told");
        assert_eq!(last["change"]["what"], "mode");
        if last["credential"]["inode"] == inode {
            break;
        }
        assert!(begun.elapsed() < PATIENCE, "{last:#?}\n{}", host.sensor.log());
    }
    host.sensor.end(Signal::TERM);
}

#[test]
fn a_flood_of_other_files_displaces_nothing_and_is_accounted_for() {
    const FILES: u64 = 20_000;
    if !can_load() {
        return;
    }
    let mut host = Host::new(EMPTY, "");
    host.decoy.write(".ssh/id_one", KEY);
    host.sensor.start();
    let flooded = tempfile::tempdir().expect("a directory");
    let before = account(&host.sensor.status(), "credential_change").0;
    // By their names alone, as `rm -r` does: dismissed at once.
    let script = "import os, sys\nos.chdir(sys.argv[1])\n\
                  for i in range(int(sys.argv[2])):\n os.close(os.open('f', os.O_CREAT | os.O_WRONLY))\n os.unlink('f')\n";
    let python = Command::new("python3")
        .args(["-c", script])
        .arg(flooded.path())
        .arg(FILES.to_string())
        .status();
    if python.is_ok_and(|status| status.success()) {
        let seen = account(&host.sensor.status(), "credential_change").0 - before;
        assert!(seen < FILES / 2, "{seen} of {FILES} were not dismissed");
    }
    // By their paths, with reads of a credential between.
    let file = flooded.path().join("g");
    let mut reads = 0;
    for turn in 0..FILES {
        fs::write(&file, "").expect("written");
        fs::remove_file(&file).expect("removed");
        if turn % 1_000 == 0 {
            cat(&host.decoy.path(".ssh/id_one"));
            reads += 1;
        }
    }
    assert_eq!(host.uses(&host.decoy.path(".ssh/id_one")).len(), reads);
    // Others change files meanwhile; each account is a whole at some moment.
    let status = host.wait("the accounts agree", |status| {
        let (seen, submitted, lost) = account(status, "credential_change");
        seen == submitted + lost
    });
    assert_eq!(account(&status, "file_open").2, 0, "{status:#}");
}

/// A change that waits, for its file system is frozen, is told of the file that the kernel was given, whatever is put in the place of its descriptor; and so is one
/// that began before the sensor did.
#[test]
fn a_change_that_waits_is_told_as_it_began() {
    if !can_load() {
        return;
    }
    let Some(disk) = Disk::ext4() else { return };
    let key = disk.path().join("key");
    fs::write(&key, "a decoy").expect("written");
    let mut host = Host::new(
        &format!("version = 1\n[[entry]]\nid = \"own\"\nkind = \"netrc_password\"\nglobs = [{key:?}]\n"),
        "",
    );
    let freeze = |how: &str| {
        let frozen = Command::new("fsfreeze").arg(how).arg(disk.path()).output();
        frozen.is_ok_and(|frozen| frozen.status.success())
    };
    if !freeze("--freeze") {
        eprintln!("not tested: fsfreeze");
        return;
    }
    let before = Command::new("chmod").arg("0621").arg(&key).spawn();
    // Nothing that fails here leaves it frozen: the sensor reads nothing that would be written.
    let started = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| host.sensor.start()));
    assert!(freeze("--unfreeze"));
    started.expect("started");
    let mut before = before.expect("runs");
    let pid = before.id();
    assert!(before.wait().expect("ends").success());
    let of = |host: &Host, pid: u64| -> Vec<Value> {
        let mut events = host.kept();
        events
            .retain(|event| event["kind"] == "credential_change" && event["actor"]["process"]["pid"] == pid);
        events
    };
    let told = of(&host, u64::from(pid));
    assert_eq!(told.len(), 1, "{told:#?}\n{}", host.sensor.log());
    assert_eq!(told[0]["change"]["after"], "0621");

    let directory = tempfile::tempdir().expect("a directory");
    let programs = Programs::put(directory.path());
    let other = directory.path().join("other");
    let (did, running) = programs.run(
        "raced_frozen",
        key.to_str().expect("plain"),
        other.to_str().expect("plain"),
    );
    drop(running);
    let Did::It { pid, errno: 0, .. } = did else {
        panic!("{did:?}");
    };
    let told = of(&host, pid);
    assert_eq!(told.len(), 1, "{told:#?}\n{}", host.sensor.log());
    assert_eq!(told[0]["credential"]["path"], key.to_str().expect("plain"));
    assert_eq!(told[0]["change"]["what"], "mode");
    assert_eq!(
        fs::metadata(&key).expect("there").permissions().mode() & 0o7777,
        0o611
    );
    host.sensor.end(Signal::TERM);
}

/// What is named by a text that is longer than what is taken of one is lost, and counted: whichever of both names of a change it is.
#[test]
fn a_change_by_a_path_that_is_cut_is_counted() {
    if !can_load() {
        return;
    }
    let mut host = Host::new(EMPTY, "");
    host.decoy.write(".ssh/id_one", KEY);
    let one = host.decoy.path(".ssh/id_one");
    host.sensor.start();
    // Where a directory would lead on.
    let aside = host.decoy.home().join("aside");
    let long = |path: &Path| {
        let text = path.to_str().expect("plain");
        let name = text.rfind('/').expect("absolute");
        PathBuf::from(format!("{}{}{}", &text[..name], "/.".repeat(600), &text[name..]))
    };
    let moved = aside.with_extension("moved");
    let changes: [(&str, &dyn Fn() -> std::io::Result<()>); 4] = [
        ("link", &|| fs::hard_link(long(&one), &aside)),
        ("symlink", &|| {
            std::os::unix::fs::symlink(long(&one), aside.with_extension("link"))
        }),
        ("rename", &|| fs::rename(long(&one), &moved)),
        ("rename back", &|| fs::rename(&moved, long(&one))),
    ];
    // Where hooks see the object, it is told.
    let told_or_counted = |host: &mut Host| {
        let told = host.kept().into_iter().filter(|event| {
            event["kind"] == "credential_change" && event["actor"]["process"]["pid"] == std::process::id()
        });
        let counted = &host.sensor.status()["accounts"]["lost"]["path_cut"];
        told.count() as u64 + counted.as_u64().unwrap_or(0)
    };
    for (what, change) in changes {
        let before = told_or_counted(&mut host);
        change().expect(what);
        let begun = Instant::now();
        while told_or_counted(&mut host) == before {
            assert!(begun.elapsed() < PATIENCE, "{what} is neither told nor counted");
            std::thread::sleep(Duration::from_millis(50));
        }
    }
    host.sensor.end(Signal::TERM);
}
