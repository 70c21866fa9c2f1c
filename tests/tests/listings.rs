//! Listings of directories.

use std::{fs, os::unix::fs::MetadataExt as _};

use claviger_tests::{Decoy, can_load, trace};

/// A shell command with the decoy's home in `$H`.
fn shell(decoy: &Decoy, script: &str) -> [String; 3] {
    let home = decoy.home().display().to_string();
    ["/bin/sh".into(), "-c".into(), format!("H={home}; {script}")]
}

#[test]
fn a_listing_of_credentials_is_told_once_and_of_what_holds_much_else_never() {
    if !can_load() {
        return;
    }
    let decoy = Decoy::new();
    decoy.write(".ssh/id_listed", "x");
    fs::create_dir_all(decoy.beside("plain")).expect("a directory");
    fs::write(decoy.beside("plain").join("server.pem"), "nothing\n").expect("written");
    let config = decoy.config("", "");
    let plain = decoy.beside("plain");
    // The shell lists by its patterns; `*` in a home passes over names with a dot, but the home is listed.
    let script = format!(
        "i=0; while [ $i -lt 5 ]; do echo $H/.ssh/* >/dev/null; i=$((i + 1)); done; echo $H/* /etc/* /tmp/* {}/*.pem >/dev/null; /bin/ls $H/.ssh >/dev/null",
        plain.to_str().expect("plain")
    );
    let traced = trace(&config, &shell(&decoy, &script));
    let mut seen: Vec<(&str, &str, u64)> = traced
        .events
        .iter()
        .map(|event| {
            assert_eq!(event["kind"], "credential_discovery", "{event:#}");
            assert_eq!(
                event["discovery"]["inode"],
                fs::metadata(decoy.path(".ssh")).expect("there").ino()
            );
            (
                event["actor"]["process"]["comm"].as_str().expect("a word"),
                event["discovery"]["path"].as_str().expect("a path"),
                event["count"].as_u64().expect("a number"),
            )
        })
        .collect();
    seen.sort_unstable();
    let listed = decoy.path(".ssh");
    let listed = listed.to_str().expect("plain");
    assert_eq!(
        seen,
        [("ls", listed, 1), ("sh", listed, 1), ("sh", listed, 4)],
        "{traced:#?}"
    );
}
