//! Another catalogue while much is going on.

use std::{
    fs,
    process::{Command, Stdio},
};

use claviger_proto::catalogue::Catalogue;
use claviger_tests::can_load;

use crate::host::Host;

const FILES: usize = 64;
const GENERATORS: usize = 3;
const RELOADS: usize = 10;

/// Opens all keys again and again until a file appears, and says how often it opened one.
const GENERATOR: &str = "n=0; while [ ! -e \"$1\" ]; do for file in \"$0\"/id_*; do read -r line <\"$file\" && n=$((n + 1)); done; done; echo $n";

#[test]
fn no_use_is_lost_while_catalogues_change_in_a_flood() {
    if !can_load() {
        return;
    }
    // Nothing but these is watched: what else goes on here is not in the accounts.
    let others: Vec<&str> = Catalogue::shipped()
        .entries()
        .iter()
        .map(|entry| entry.id())
        .filter(|id| *id != "ssh-private-key")
        .collect();
    let one = format!("version = 1\nremove = {others:?}\n");
    // What is not in the ring cannot be lost by it: a process's first use of each file goes there, and the rest is counted in the kernel half.
    let mut host = Host::new(&one, "");
    let other = format!(
        "{one}[[entry]]\nid = \"other\"\nkind = \"netrc_password\"\nglobs = [\"{}/*\"]\n",
        host.decoy.path("srv").display()
    );
    for number in 0..FILES {
        host.decoy.write(
            &format!(".ssh/id_{number}"),
            "-----BEGIN OPENSSH PRIVATE KEY-----\n",
        );
    }
    host.sensor.start();
    let keys = host.decoy.path(".ssh");
    let enough = host.decoy.beside("enough");
    let generators: Vec<_> = (0..GENERATORS)
        .map(|_| {
            Command::new("/bin/sh")
                .args(["-c", GENERATOR])
                .args([&keys, &enough])
                .stdout(Stdio::piped())
                .spawn()
                .expect("starts")
        })
        .collect();
    for round in 0..RELOADS {
        let before = host.sensor.status()["policy"]["digest"].clone();
        host.write_catalogue(if round % 2 == 0 { &other } else { &one });
        host.reload();
        host.wait("another catalogue", |status| status["policy"]["digest"] != before);
    }
    fs::write(&enough, "").expect("written");
    let generated: u64 = generators
        .into_iter()
        .map(|generator| {
            let output = generator.wait_with_output().expect("ends");
            let said = String::from_utf8_lossy(&output.stdout);
            said.trim().parse::<u64>().expect("a number")
        })
        .sum();

    let events = host.kept();
    let told: u64 = events
        .iter()
        .filter(|event| {
            let path = event["credential"]["path"].as_str();
            event["kind"] == "credential_access"
                && path.is_some_and(|path| path.starts_with(&keys.display().to_string()))
        })
        .filter_map(|event| event["count"].as_u64())
        .sum();
    assert!(generated > (FILES * GENERATORS * RELOADS) as u64, "{generated}");
    assert_eq!(told, generated, "{}", host.sensor.log());
}
