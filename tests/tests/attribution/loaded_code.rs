//! Usual readers that are started with code of somebody else's: by variables that the dynamic loader or the interpreter heeds, or by the loader's own options.

use std::{fs, process::Command};

use claviger_tests::{Decoy, can_load};
use serde_json::{Value, json};

use crate::{
    cases::installed,
    forged::{Service, run},
    service::wait_for,
};

const READER: &str = "/usr/bin/ssh-keygen";
const LOADER: &str = "/lib64/ld-linux-x86-64.so.2";

/// The variables of a start, and whether its use is a finding.
const STARTS: [(&str, &[&str], bool); 4] = [
    ("clean", &[], false),
    (
        "heeds_not",
        &["ENV", "PYTHONPATH", "PYTHONPYCACHEPREFIX", "PYTHONWARNINGS"],
        false,
    ),
    ("preload", &["LD_PRELOAD"], true),
    ("two", &["LD_AUDIT", "LD_LIBRARY_PATH"], true),
];

#[test]
fn a_usual_reader_that_is_started_with_code_is_a_finding_and_says_which() {
    if !can_load() {
        return;
    }
    if installed(&[READER]).is_none() {
        eprintln!("skipped: no ssh-keygen here");
        return;
    }
    let decoy = Decoy::new();
    fs::create_dir_all(decoy.path(".ssh")).expect("made");
    let key = |name: &str| decoy.path(&format!(".ssh/id_{name}"));
    for (name, ..) in STARTS {
        run(Command::new(READER)
            .args(["-q", "-t", "ed25519", "-N", "", "-f"])
            .arg(key(name)));
    }
    let service = Service::start(&decoy);
    for (name, variables, _) in STARTS {
        // What the loader does not find it goes on without.
        let variables = variables.iter().map(|variable| (variable, "/nowhere/at/all"));
        let output = Command::new(READER)
            .args(["-y", "-f"])
            .arg(key(name))
            .env_clear()
            .envs(variables)
            .output()
            .expect("starts");
        assert!(output.status.success(), "{name}: {output:?}");
    }
    service.sensor.flush();
    let detector = &service.detector;
    for (name, variables, is_found) in STARTS {
        let is_of_key = |of: &Value| of["credential"]["path"] == key(name).to_str().expect("plain");
        let event = wait_for(detector, "events", "event", is_of_key);
        let code = &event["actor"]["process"]["environment_code"];
        let expected = if variables.is_empty() {
            Value::Null
        } else {
            json!({"variables": variables, "incomplete": false})
        };
        assert_eq!(code, &expected, "{name}: {event:#}");
        if !is_found {
            continue;
        }
        let finding = wait_for(detector, "findings", "finding", is_of_key);
        let summary = finding["summary"].as_str().expect("a sentence");
        let why = format!(
            "{READER}, but it was started with {} in its environment",
            variables.join(" and ")
        );
        assert!(summary.contains(&why), "{name}: {summary}");
    }
    // Those that are found came after those that are not.
    let findings = detector.read("findings", "finding");
    for (name, ..) in STARTS.iter().filter(|(.., is_found)| !is_found) {
        let path = key(name);
        let of_key = findings
            .iter()
            .filter(|finding| finding["credential"]["path"] == path.to_str().expect("plain"));
        assert_eq!(of_key.count(), 0, "{name}: {findings:#?}");
    }
    service.end();
}

/// What the loader does not find it goes on without; a library that it is to load it finds.
const OPTIONS: [(&str, &[&str]); 3] = [
    ("ld_preload", &["--preload", "libm.so.6"]),
    ("ld_path", &["--library-path", "/nowhere/at/all"]),
    ("ld_plain", &[]),
];

#[test]
fn a_usual_reader_that_the_loader_is_started_to_run_is_a_finding() {
    if !can_load() {
        return;
    }
    if installed(&[READER]).and(installed(&[LOADER])).is_none() {
        eprintln!("skipped: no ssh-keygen or loader here");
        return;
    }
    let decoy = Decoy::new();
    fs::create_dir_all(decoy.path(".ssh")).expect("made");
    let key = |name: &str| decoy.path(&format!(".ssh/id_{name}"));
    for (name, _) in OPTIONS {
        run(Command::new(READER)
            .args(["-q", "-t", "ed25519", "-N", "", "-f"])
            .arg(key(name)));
    }
    let service = Service::start(&decoy);
    for (name, options) in OPTIONS {
        run(Command::new(LOADER)
            .env_clear()
            .args(options)
            .args([READER, "-y", "-f"])
            .arg(key(name)));
    }
    service.sensor.flush();
    let detector = &service.detector;
    for (name, _) in OPTIONS {
        let is_of_key = |of: &Value| of["credential"]["path"] == key(name).to_str().expect("plain");
        let event = wait_for(detector, "events", "event", is_of_key);
        let finding = wait_for(detector, "findings", "finding", is_of_key);
        // Without the hook that sees what the loader maps, nothing claims to be the reader.
        if event["actor"]["process"]["loaded_program"]["basis"] != "mapped" {
            continue;
        }
        let summary = finding["summary"].as_str().expect("a sentence");
        let why = format!("{READER}, but the dynamic loader was started to run it");
        assert!(summary.contains(&why), "{name}: {summary}");
    }
    service.end();
}
