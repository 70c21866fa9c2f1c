//! As many credentials as a host may have.

use std::{fs, time::Instant};

use claviger_tests::can_load;
use rustix::process::Signal;

use crate::host::{Host, cat};

const DIRECTORIES: u64 = 100;
/// In each; with the directories a scan reports no more than 100,000.
const FILES: u64 = 998;

#[test]
#[ignore = "long: makes and labels a hundred thousand files"]
fn a_hundred_thousand_credentials_are_labelled_and_watched() {
    if !can_load() {
        return;
    }
    let directory = tempfile::tempdir().expect("a directory");
    let mut host = Host::new(
        &format!(
            "version = 1\n[[entry]]\nid = \"own\"\nkind = \"netrc_password\"\nglobs = [\"{}/*/key-*\"]\n",
            directory.path().display()
        ),
        "",
    );
    let path = |of: u64, number: u64| {
        let below = format!("{of:03}/key-{number:03}");
        directory.path().join(below)
    };
    for of in 0..DIRECTORIES {
        fs::create_dir(directory.path().join(format!("{of:03}"))).expect("made");
        for number in 0..FILES {
            fs::write(path(of, number), "a decoy").expect("written");
        }
    }
    let begun = Instant::now();
    host.sensor.start();
    let started = begun.elapsed();
    let status = host.sensor.status();
    let labelled = |what: &str| status["labelled"][what].as_u64().expect("a number");
    assert!(labelled("files") >= DIRECTORIES * FILES, "{status:#}");
    assert_eq!(labelled("not_labelled"), 0);
    let cpu = |status: &serde_json::Value| status["usage"]["cpu_time_us"].as_u64().expect("a number");
    println!(
        "{} files in {} directories: ready after {started:?}, {} MB of memory, {} ms of CPU",
        labelled("files"),
        labelled("directories"),
        status["usage"]["resident_memory_bytes"]
            .as_u64()
            .expect("a number")
            >> 20,
        cpu(&status) / 1_000
    );
    let read = [
        path(0, 0),
        path(DIRECTORIES / 2, 7),
        path(DIRECTORIES - 1, FILES - 1),
    ];
    for path in &read {
        cat(path);
        assert_eq!(host.uses(path).len(), 1, "{}", host.sensor.log());
    }
    // One that appears is known at its first use.
    let new = directory.path().join("000/key-new");
    fs::write(&new, "a decoy").expect("written");
    cat(&new);
    assert_eq!(host.uses(&new).len(), 1, "{}", host.sensor.log());
    println!("all read after {:?}", begun.elapsed());
    // Before the files go: each would be a change of a credential.
    host.sensor.end(Signal::TERM);
    println!("ended after {:?}", begun.elapsed());
}
