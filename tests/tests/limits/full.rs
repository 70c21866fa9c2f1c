//! More credentials than can be labelled.

use claviger_tests::can_load;

use crate::host::{Host, cat, text};

/// The least that can be configured.
const LABELS: u64 = 64;
const FILES: u64 = 100;

#[test]
fn what_finds_no_room_is_counted_and_said_and_what_has_it_stays_watched() {
    if !can_load() {
        return;
    }
    let mut host = Host::new("version = 1\n", &format!("max_labelled_files = {LABELS}\n"));
    for number in 0..FILES {
        host.decoy.write(&format!(".ssh/id_{number:03}"), "a decoy");
    }
    host.sensor.start();
    let status = host.sensor.status();
    let labelled = |what: &str| status["labelled"][what].as_u64().expect("a number");
    assert!(
        labelled("files") <= LABELS && labelled("files") > LABELS / 2,
        "{status:#}"
    );
    assert!(
        labelled("not_labelled") >= FILES + 1 - labelled("files"),
        "{status:#}"
    );
    let log = host.sensor.log();
    assert!(
        log.contains("credentials could not be labelled and are not watched"),
        "{log}"
    );
    let checked = host.run(&["check", "--self"]);
    assert_eq!(checked.status.code(), Some(1), "{}", text(&checked));
    assert!(
        text(&checked).contains("could not be labelled"),
        "{}",
        text(&checked)
    );

    let paths: Vec<_> = (0..FILES)
        .map(|number| host.decoy.path(&format!(".ssh/id_{number:03}")))
        .collect();
    for path in &paths {
        cat(path);
    }
    let events = host.kept();
    let seen = paths.iter().filter(|path| {
        let path = path.display().to_string();
        events
            .iter()
            .any(|event| event["kind"] == "credential_access" && event["credential"]["path"] == path)
    });
    let seen = seen.count() as u64;
    assert!(seen >= LABELS / 2, "{seen} of {FILES} were seen");
    let told: u64 = events
        .iter()
        .filter(|event| event["gap"]["reason"] == "not_labelled")
        .filter_map(|event| event["gap"]["losses"][0]["count"].as_u64())
        .sum();
    assert!(told >= labelled("not_labelled"), "{told}");
}
