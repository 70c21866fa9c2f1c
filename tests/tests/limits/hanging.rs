//! A file system that does not answer.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Instant,
};

use claviger_tests::{PATIENCE, can_load};
use rustix::process::Signal;
use serde_json::Value;

use crate::{host::Host, silent::Silent};

/// What hangs, by a status.
fn hanging(status: &Value) -> Vec<String> {
    let hanging = status["hanging"].as_array().expect("a list");
    let mut paths: Vec<_> = hanging
        .iter()
        .map(|path| path.as_str().expect("text").to_owned())
        .collect();
    paths.sort();
    paths
}

fn sorted<'a>(paths: impl IntoIterator<Item = &'a PathBuf>) -> Vec<String> {
    let mut paths: Vec<_> = paths.into_iter().map(|path| path.display().to_string()).collect();
    paths.sort();
    paths
}

#[test]
fn what_does_not_answer_keeps_nothing_else_from_being_watched() {
    if !can_load() {
        return;
    }
    let mut host = Host::new("version = 1\n", "");
    // One lies over a place of the catalogue, and a link leads into the other.
    let over = host.decoy.path(".kube");
    let beside = host.decoy.beside("silent");
    for directory in [&over, &beside] {
        fs::create_dir_all(directory).expect("made");
    }
    let link = host.decoy.path(".netrc");
    std::os::unix::fs::symlink(beside.join("key"), &link).expect("linked");
    let Some(mut silent) = Silent::over(&[("all", &over), ("all", &beside)]) else {
        return;
    };
    host.sensor.start_by(&silent.wrapper());

    let status = host.wait("both hang", |status| hanging(status).len() == 2);
    assert_eq!(hanging(&status), sorted([&over, &beside]));
    assert!(
        status["labelled"]["left_out"].as_u64() >= Some(2),
        "both are left out: {status:#}"
    );
    let said = format!("path={}", over.display());
    let log = host.sensor.log();
    assert!(
        log.lines()
            .any(|line| line.contains("a file system does not answer") && line.contains(&said)),
        "{log}"
    );
    let checked = host.run(&["check", "--self"]);
    assert_eq!(checked.status.code(), Some(1));

    // What was there, and what appears, is watched all the same.
    let read = |path: &Path| {
        let cat = silent.run(&["cat", &path.display().to_string()]);
        assert!(cat.status.success());
    };
    let there = host.decoy.path(".aws/credentials");
    read(&there);
    assert_eq!(host.uses(&there).len(), 1, "{}", host.sensor.log());
    let labelled = host.sensor.status()["labelled"]["files"].as_u64();
    host.decoy.write(".ssh/id_new", "a decoy");
    host.wait("the new one is labelled", |status| {
        status["labelled"]["files"].as_u64() > labelled
    });
    let new = host.decoy.path(".ssh/id_new");
    read(&new);
    assert_eq!(host.uses(&new).len(), 1, "{}", host.sensor.log());

    silent.answer();
    host.wait("nothing that hangs", |status| {
        status["hanging"] == serde_json::json!([])
    });
    let labelled = labelled.map(|before| before + 2);
    host.wait("what the link leads to is labelled", |status| {
        status["labelled"]["files"].as_u64() >= labelled
    });
    let key = silent.run(&["cat", &link.display().to_string()]);
    assert!(key.status.success(), "{key:?}");
    let uses = host.uses(&beside.join("key"));
    assert_eq!(uses.len(), 1, "{}", host.sensor.log());
    assert_eq!(uses[0]["credential"]["kind"], "netrc_password");
    let events = host.kept();
    let told = |what: &str, reason: &str| events.iter().any(|event| event[what]["reason"] == reason);
    assert!(told("sensor_status", "file_system_hangs"));
    assert!(told("gap", "file_system_hung"));
}

#[test]
fn whichever_call_does_not_answer_the_rest_is_watched() {
    if !can_load() {
        return;
    }
    let mut host = Host::new("version = 1\n", "");
    // Each with the name by which what lies there is known.
    let places = [
        ("getattr", ".kube", "config"),
        ("lookup", ".docker", "config.json"),
        ("readdir", ".ssh", "id_decoy"),
        ("open", ".config/gh", "key"),
        ("read", ".config/containers", "key"),
    ];
    host.write_catalogue(&format!(
        "version = 1\n[[entry]]\nid = \"own\"\nkind = \"netrc_password\"\nglobs = [\"{0}/.config/gh/key\", \"{0}/.config/containers/key\"]\n",
        host.decoy.home().display()
    ));
    let over: Vec<_> = places
        .iter()
        .map(|(_, place, _)| host.decoy.path(place))
        .collect();
    for directory in &over {
        fs::create_dir_all(directory).expect("made");
    }
    let silent: Vec<_> = places
        .iter()
        .zip(&over)
        .map(|((call, ..), over)| (*call, over.as_path()))
        .collect();
    let Some(mut silent) = Silent::over(&silent) else {
        return;
    };
    host.sensor.start_by(&silent.wrapper());
    let status = host.wait("all of them hang", |status| hanging(status).len() == places.len());
    assert_eq!(hanging(&status), sorted(&over));
    let there = host.decoy.path(".aws/credentials");
    let read = |silent: &Silent, path: &Path| {
        let cat = silent.run(&["cat", &path.display().to_string()]);
        assert!(cat.status.success(), "{cat:?}");
    };
    read(&silent, &there);
    assert_eq!(host.uses(&there).len(), 1, "{}", host.sensor.log());

    silent.answer();
    host.wait("nothing hangs", |status| hanging(status).is_empty());
    // What lies there is labelled soon; how many files are tells nothing, for the search of the host labels others meanwhile.
    for ((call, _, name), over) in places.iter().zip(&over) {
        let path = over.join(name);
        let begun = Instant::now();
        while host.uses(&path).is_empty() {
            assert!(begun.elapsed() < PATIENCE, "{call}: {}", host.sensor.log());
            read(&silent, &path);
        }
    }
}

#[test]
fn what_answers_no_longer_keeps_its_labels_and_holds_up_neither_the_end_nor_the_next_start() {
    if !can_load() {
        return;
    }
    let mut host = Host::new("version = 1\n", "");
    let over = host.decoy.path(".ssh");
    fs::create_dir_all(&over).expect("made");
    let Some(mut silent) = Silent::over(&[("none", &over)]) else {
        return;
    };
    host.sensor.start_by(&silent.wrapper());
    let key = over.join("id_decoy");
    let read = |silent: &Silent, path: &Path| silent.run(&["cat", &path.display().to_string()]);
    assert!(read(&silent, &key).status.success());
    assert_eq!(host.uses(&key).len(), 1, "{}", host.sensor.log());
    let before = host.sensor.status()["labelled"]["files"].clone();

    silent.hang();
    let status = host.wait("it hangs", |status| !hanging(status).is_empty());
    assert_eq!(hanging(&status), sorted([&over]));
    assert_eq!(
        status["labelled"]["files"], before,
        "what is labelled there stays so"
    );
    let there = host.decoy.path(".aws/credentials");
    assert!(read(&silent, &there).status.success());
    assert_eq!(host.uses(&there).len(), 1, "{}", host.sensor.log());

    // A thread of it waits in the kernel, which nobody can call back; all that it held is let go.
    host.sensor.end_without_waiting(Signal::TERM);
    host.sensor.start_by(&silent.wrapper());
    host.wait("the next one says that it hangs", |status| {
        !hanging(status).is_empty()
    });
    silent.answer();
    host.wait("it answers", |status| hanging(status).is_empty());
    host.wait("it is labelled anew", |status| {
        status["labelled"]["files"] == before
    });
    assert!(read(&silent, &key).status.success());
    assert_eq!(host.uses(&key).len(), 2, "{}", host.sensor.log());
}
