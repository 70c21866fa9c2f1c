//! Much that is to be labelled at once keeps no question waiting until it is done.

use std::fs;

use claviger_tests::can_load;
use serde_json::Value;

use crate::host::{Host, cat};

/// As many as a search reports, about.
const FILES: u64 = 19_000;
const DIRECTORIES: u64 = 1_900;

#[test]
fn questions_are_answered_while_a_search_result_is_labelled() {
    if !can_load() {
        return;
    }
    // Of memory: only labelling takes its time. A directory at the root has a share of names of its own.
    let directory = tempfile::tempdir_in("/dev/shm").expect("a directory");
    let mut host = Host::new(
        "version = 1\n[[entry]]\nid = \"own\"\nkind = \"netrc_password\"\nglobs = [\"**/claviger-slices-*\"]\n",
        "",
    );
    for number in 0..FILES {
        let below = directory.path().join((number % DIRECTORIES).to_string());
        if number < DIRECTORIES {
            fs::create_dir(&below).expect("made");
        }
        fs::write(below.join(format!("claviger-slices-{number}")), "a decoy").expect("written");
    }
    host.sensor.start();
    let files = |status: &Value| status["labelled"]["files"].as_u64().expect("a number");
    // What is used under way: a version of which nobody knows yet what it says, so that the worker is asked.
    let asked = host.decoy.path(".aws/credentials");
    let mut answered_before = 0;
    for round in 0.. {
        let key = format!("AKIAIOSFODNN7{round:07}");
        let content = format!("[default]\naws_access_key_id = {key}\naws_secret_access_key = decoy\n");
        host.decoy.write(".aws/credentials", &content);
        cat(&asked);
        let is_told = host.uses(&asked).iter().any(|event| names(event, &key));
        let status = host.sensor.status();
        assert!(is_told, "{key} is not told: {status:#}\n{}", host.sensor.log());
        if files(&status) >= FILES {
            break;
        }
        answered_before += 1;
    }
    assert!(answered_before > 1, "all was labelled before the first question");
    let last = directory.path().join("0/claviger-slices-0");
    cat(&last);
    assert_eq!(host.uses(&last).len(), 1, "{}", host.sensor.log());
    let events = host.kept();
    let reasons = events
        .iter()
        .filter_map(|event| event["sensor_status"]["reason"].as_str());
    let reasons: Vec<_> = reasons.collect();
    assert!(!reasons.contains(&"self_test_overdue"), "{reasons:?}");
}

fn names(event: &Value, key: &str) -> bool {
    let identities = event["credential"]["identities"].as_array();
    identities.is_some_and(|all| all.iter().any(|identity| identity["id"] == key))
}
