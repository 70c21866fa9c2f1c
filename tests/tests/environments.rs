//! Programs that are started with many credentials in their environment.

use claviger_tests::{Decoy, can_load, trace};

/// What the events of a program's start say: names, and how many more there were.
fn told(count: usize) -> (Vec<String>, Vec<u64>) {
    let decoy = Decoy::new();
    let config = decoy.config("", "");
    // What nobody looks for comes first.
    let mut command: Vec<String> = vec!["/usr/bin/env".into(), "-i".into()];
    command.extend((0..count).map(|number| format!("HARMLESS_{number}_TOKEN=x")));
    command.push("AWS_SECRET_ACCESS_KEY=wJalrXUtnFEMI/K7MDENG/bPxRfiCYDECOYSECRET".into());
    command.push("/bin/true".into());
    let traced = trace(&config, &command);
    let of_true: Vec<_> = traced
        .events
        .iter()
        .filter(|event| {
            event["actor"]["process"]["exe_path"]
                .as_str()
                .is_some_and(|path| path.ends_with("/true"))
        })
        .collect();
    let mut names = Vec::new();
    let mut left_out = Vec::new();
    for event in of_true {
        assert_eq!(event["kind"], "environment_credential", "{event:#}");
        let credential = &event["credential"];
        let held = credential["held_in"].as_array().expect("a list");
        names.extend(held.iter().map(|name| name.as_str().expect("a name").to_owned()));
        left_out.push(credential["held_in_left_out"].as_u64().unwrap_or_default());
    }
    (names, left_out)
}

const SECRET: &str = "environment AWS_SECRET_ACCESS_KEY";

#[test]
fn harmless_names_put_first_hide_none() {
    if !can_load() {
        return;
    }
    let (names, left_out) = told(100);
    assert_eq!(names.len(), 101, "{names:?}");
    assert!(names.iter().any(|name| name == SECRET), "{names:?}");
    assert!(left_out.iter().all(|count| *count == 0), "{left_out:?}");
}

#[test]
fn names_beyond_all_bounds_are_counted() {
    if !can_load() {
        return;
    }
    let (names, left_out) = told(300);
    assert_eq!(names.len(), 192, "{names:?}");
    assert!(!names.iter().any(|name| name == SECRET));
    // The last record of the start says it, in each of its events.
    assert_eq!(left_out.iter().max(), Some(&(301 - 192)), "{left_out:?}");
}
