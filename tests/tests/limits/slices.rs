//! Much that is to be labelled at once keeps no question waiting until it is done.

use std::fs;

use claviger_tests::can_load;
use serde_json::Value;

use crate::host::{Host, cat};

/// Some seconds' work for a build that is not optimised.
const FILES: u64 = 8_000;
const DIRECTORIES: u64 = 80;

#[test]
fn questions_are_answered_while_a_search_result_is_labelled() {
    if !can_load() {
        return;
    }
    let mut host = Host::new(
        "version = 1\n[[entry]]\nid = \"own\"\nkind = \"netrc_password\"\nglobs = [\"**/claviger-slices-*\"]\n",
        "",
    );
    // In a home, which has a share of the search's names of its own.
    let directory = host.decoy.path("many");
    fs::create_dir(&directory).expect("made");
    for number in 0..FILES {
        let below = directory.join((number % DIRECTORIES).to_string());
        if number < DIRECTORIES {
            fs::create_dir(&below).expect("made");
        }
        fs::write(below.join(format!("claviger-slices-{number}")), "a decoy").expect("written");
    }
    host.sensor.start();
    let files = |status: &Value| status["labelled"]["files"].as_u64().expect("a number");
    // They are labelled in their order: once the first one is, the others are under way.
    let first = directory.join("0/claviger-slices-0");
    host.wait("the first one is labelled", |_| {
        cat(&first);
        !host.uses(&first).is_empty()
    });
    // Of this version nobody knows yet what it says, so the worker is asked.
    let key = "AKIAIOSFODNN7EXAMPL2";
    host.decoy.write(
        ".aws/credentials",
        &format!("[default]\naws_access_key_id = {key}\naws_secret_access_key = decoy\n"),
    );
    cat(&host.decoy.path(".aws/credentials"));
    // With the use, or behind it.
    host.wait("it is answered", |_| {
        host.kept().iter().any(|event| event.to_string().contains(key))
    });
    let status = host.sensor.status();
    assert!(files(&status) < FILES, "all was labelled before: {status:#}");
    host.wait("all are labelled", |status| files(status) >= FILES);
    let last = directory.join("79/claviger-slices-79");
    cat(&last);
    assert_eq!(host.uses(&last).len(), 1, "{}", host.sensor.log());
    let events = host.kept();
    let reasons = events
        .iter()
        .filter_map(|event| event["sensor_status"]["reason"].as_str());
    let reasons: Vec<_> = reasons.collect();
    assert!(!reasons.contains(&"self_test_overdue"), "{reasons:?}");
}
