//! The operator adds and removes, also while the sensor runs; what is wrong is told with its place.

use std::{
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    thread,
};

use claviger_tests::can_load;

use crate::host::{Host, cat, text};

const EMPTY: &str = "version = 1\n";

fn own(path: &std::path::Path) -> String {
    format!(
        "version = 1\n[[kind]]\nname = \"payments_key\"\ntitle = \"key of the payments service\"\n[[entry]]\n\
         id = \"payments-key\"\nkind = \"payments_key\"\nglobs = [\"{}\"]\n",
        path.display()
    )
}

#[test]
fn the_operator_adds_and_removes_while_the_sensor_runs() {
    if !can_load() {
        return;
    }
    let mut host = Host::new(EMPTY, "");
    host.decoy.write("srv/payments", "a decoy");
    let (added, removed) = (
        host.decoy.path("srv/payments"),
        host.decoy.path(".aws/credentials"),
    );
    host.sensor.start();
    let before = host.sensor.status()["policy"]["digest"].clone();
    cat(&added);
    cat(&removed);
    assert_eq!(host.uses(&added).len(), 0);
    assert_eq!(host.uses(&removed).len(), 1);

    let text = own(&added).replace("version = 1\n", "version = 1\nremove = [\"aws-credentials\"]\n");
    host.write_catalogue(&text);
    host.reload();
    let status = host.wait("another catalogue", |status| status["policy"]["digest"] != before);
    assert_eq!(
        status["policy"]["files"][0],
        host.catalogue_file().display().to_string()
    );
    cat(&added);
    cat(&removed);
    let uses = host.uses(&added);
    assert_eq!(uses.len(), 1, "{}", host.sensor.log());
    assert_eq!(uses[0]["credential"]["kind"], "payments_key");
    assert_eq!(uses[0]["credential"]["catalogue_entry"], "payments-key");
    assert_eq!(host.uses(&removed).len(), 1, "it is no longer watched");

    host.write_catalogue(EMPTY);
    host.reload();
    host.wait("the first catalogue again", |status| {
        status["policy"]["digest"] == before
    });
    cat(&added);
    cat(&removed);
    assert_eq!(host.uses(&added).len(), 1);
    assert_eq!(host.uses(&removed).len(), 2);
    let told: Vec<_> = host
        .detector
        .read("events", "event")
        .into_iter()
        .filter(|event| event["sensor_status"]["reason"] == "policy_changed")
        .collect();
    assert_eq!(told.len(), 2);
}

#[test]
fn what_stays_is_watched_while_the_catalogue_changes() {
    if !can_load() {
        return;
    }
    let mut host = Host::new(EMPTY, "");
    host.decoy.write("srv/payments", "a decoy");
    let stays = host.decoy.path(".aws/credentials");
    host.sensor.start();
    let (reads, done) = (AtomicUsize::new(0), AtomicBool::new(false));
    thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                cat(&stays);
                reads.fetch_add(1, Ordering::Relaxed);
            }
        });
        for round in 0..6 {
            let before = host.sensor.status()["policy"]["digest"].clone();
            let text = own(&host.decoy.path("srv/payments"));
            host.write_catalogue(if round % 2 == 0 { &text } else { EMPTY });
            host.reload();
            host.wait("another catalogue", |status| status["policy"]["digest"] != before);
        }
        done.store(true, Ordering::Relaxed);
    });
    let reads = reads.load(Ordering::Relaxed);
    assert_eq!(host.uses(&stays).len(), reads, "{}", host.sensor.log());
}

#[test]
fn a_wrong_file_changes_nothing_and_is_told() {
    if !can_load() {
        return;
    }
    let mut host = Host::new(EMPTY, "");
    let read = host.decoy.path(".aws/credentials");
    host.sensor.start();
    let before = host.sensor.status()["policy"]["digest"].clone();
    host.write_catalogue(
        "version = 1\nremove = [\"aws-credentials\"]\n[[entry]]\nid = \"x\"\nkind = \"netrc_password\"\nglobs = [\"srv/x\"]\n",
    );
    host.reload();
    let status = host.wait("a refusal", |status| status["policy"]["refused"].is_string());
    let place = format!(
        "{}:6:10: \"x\": globs: pattern \"srv/x\"",
        host.catalogue_file().display()
    );
    let refused = status["policy"]["refused"].as_str().expect("a text");
    assert!(refused.contains(&place), "{refused}");
    assert_eq!(status["policy"]["digest"], before);
    assert!(host.sensor.log().contains(&place), "{}", host.sensor.log());
    cat(&read);
    assert_eq!(host.uses(&read).len(), 1, "what held before goes on holding");

    let asked = host.run(&["check", "--self"]);
    assert_eq!(asked.status.code(), Some(1), "{}", text(&asked));
    let checked = host.run(&["config", "check"]);
    assert_eq!(checked.status.code(), Some(78), "{}", text(&checked));
    assert!(text(&checked).contains(&place), "{}", text(&checked));
    assert!(
        text(&checked).contains("it has to begin with / (the root)"),
        "{}",
        text(&checked)
    );

    host.write_catalogue(EMPTY);
    host.reload();
    host.wait("no refusal", |status| status["policy"]["refused"].is_null());
    let asked = host.run(&["check", "--self"]);
    assert_eq!(asked.status.code(), Some(0), "{}", text(&asked));
}

#[test]
fn a_pattern_that_names_every_file_is_warned_of() {
    let host = Host::new(
        "version = 1\n[[entry]]\nid = \"all\"\nkind = \"netrc_password\"\nglobs = [\"/**\"]\n",
        "",
    );
    let checked = host.run(&["config", "check"]);
    assert_eq!(checked.status.code(), Some(0), "{}", text(&checked));
    let warning = format!(
        "{}:5:10: \"all\": pattern \"/**\" names every file",
        host.catalogue_file().display()
    );
    assert!(text(&checked).contains(&warning), "{}", text(&checked));
    let listed = text(&host.run(&["config", "catalogue", "--json"]));
    let mut entries = listed.lines().filter(|line| line.starts_with("{\"entry\""));
    let last = entries.next_back().expect("entries");
    assert!(
        last.contains("\"id\":\"all\""),
        "it stands behind all others: {last}"
    );
}

#[test]
fn the_running_sensor_tests_itself() {
    if !can_load() {
        return;
    }
    let mut host = Host::new(EMPTY, "[probes]\nself_test_interval_ms = 1000\n");
    host.sensor.start();
    let status = host.wait("three tests", |status| {
        status["self_test"]["done"].as_u64() >= Some(3)
    });
    assert_eq!(status["self_test"]["failed"], 0, "{status:#}");
    assert_eq!(status["self_test"]["blind"], serde_json::json!({}));
    let asked = host.run(&["check", "--self"]);
    assert_eq!(asked.status.code(), Some(0), "{}", text(&asked));
}
