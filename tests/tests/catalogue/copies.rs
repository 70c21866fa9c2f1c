//! Copies of credentials are known by their content, wherever they lie.

use std::{fs, path::Path, process::Command};

use claviger_tests::{SECRET, can_load};

use crate::host::{Host, cat, text};

const OTHER: &str =
    "version = 1\n[[entry]]\nid = \"volume\"\nkind = \"ssh_private_key\"\nglobs = [\"/nowhere/at/all\"]\n";

fn shell(host: &Host, script: &str) {
    let original = host.decoy.path(".ssh/id_original");
    let output = Command::new("/bin/sh")
        .args(["-c", script])
        .env("K", original)
        .env("B", host.decoy.beside(""))
        .output()
        .expect("runs");
    assert!(output.status.success(), "{script}: {}", text(&output));
}

pub(crate) fn uses_by_cat(host: &Host, path: &Path) -> usize {
    let uses = host.uses(path);
    for one in &uses {
        assert_eq!(one["credential"]["kind"], "ssh_private_key", "{one:#}");
        assert_eq!(one["credential"]["catalogue_entry"], "ssh-private-key", "{one:#}");
        assert_eq!(one["credential"]["matched_by"], "object", "{one:#}");
    }
    uses.iter()
        .map(|one| usize::try_from(one["count"].as_u64().expect("a number")).expect("few"))
        .sum()
}

#[test]
fn a_copy_is_watched_as_what_it_is_a_copy_of_and_what_is_none_is_not() {
    if !can_load() {
        return;
    }
    let mut host = Host::new("version = 1\n", "");
    host.decoy.write(
        ".ssh/id_original",
        &format!("-----BEGIN OPENSSH PRIVATE KEY-----\n{SECRET}\n-----END OPENSSH PRIVATE KEY-----\n"),
    );
    host.sensor.start();
    let files = |status: &serde_json::Value| status["labelled"]["files"].as_u64().expect("a number");
    let before = files(&host.sensor.status());

    // The file that is written is open before the credential is read, inherited with it, or opened by the reader itself. A new line at the
    // end more or less makes no other.
    shell(&host, "cat $K > $B/redirected");
    shell(&host, "cat < $K > $B/inherited");
    shell(
        &host,
        "{ read a; read b; read c; } < $K; printf '%s\\n%s\\n%s' \"$a\" \"$b\" \"$c\" > $B/rewritten",
    );
    // None: twice as much, something else, and what was there before and is not written.
    shell(
        &host,
        "cat $K $K > $B/twice; read a < $K; echo \"${#a} bytes\" > $B/other",
    );
    let copies = ["redirected", "inherited", "rewritten"].map(|name| host.decoy.beside(name));
    host.wait("three copies", |status| files(status) == before + 3);

    for copy in &copies {
        cat(copy);
        assert_eq!(
            uses_by_cat(&host, copy),
            1,
            "{}\n{}",
            copy.display(),
            host.sensor.log()
        );
    }
    for other in ["twice", "other"].map(|name| host.decoy.beside(name)) {
        cat(&other);
        assert_eq!(uses_by_cat(&host, &other), 0, "{}", other.display());
    }

    // It stays one under another catalogue, and when it is moved.
    let digest = host.sensor.status()["policy"]["digest"].clone();
    host.write_catalogue(OTHER);
    host.reload();
    host.wait("another catalogue", |status| status["policy"]["digest"] != digest);
    cat(&copies[0]);
    assert_eq!(uses_by_cat(&host, &copies[0]), 2, "{}", host.sensor.log());
    let moved = host.decoy.beside("moved");
    fs::rename(&copies[0], &moved).expect("moved");
    host.wait("one is where it was no more", |status| {
        files(status) == before + 2
    });
    cat(&moved);
    assert_eq!(uses_by_cat(&host, &moved), 1, "{}", host.sensor.log());

    // Nothing of what was compared is told.
    let said = format!("{}{:?}", host.sensor.log(), host.detector.read("events", "event"));
    assert!(!said.contains(SECRET));
    let accounts = host.sensor.status();
    let copied = accounts["probes"]
        .as_array()
        .expect("a list")
        .iter()
        .find(|probe| probe["probe"] == "file_copied")
        .expect("a probe");
    assert_eq!(copied["seen"], copied["submitted"], "{copied:#}");
    assert!(copied["seen"].as_u64() >= Some(5), "{copied:#}");
}
