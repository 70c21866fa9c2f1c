//! Copies that lie at no path, or at none that the kernel half tells: in memory, unnamed, too deep; and written by another than the one that read.

use std::{
    fs,
    io::{Read as _, Write as _},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use claviger_tests::{SECRET, can_load, copier};
use serde_json::Value;

use crate::host::{Host, cat};

/// A process that has made a copy, and waits.
struct Copier(Child);

impl Copier {
    fn start(program: &Path, how: &str, original: &Path, to: &Path) -> Self {
        let mut child = Command::new(program)
            .args([Path::new(how), original, to])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("starts");
        let mut said = [0; 7];
        let stdout = child.stdout.as_mut().expect("piped");
        stdout
            .read_exact(&mut said)
            .unwrap_or_else(|error| panic!("{how}: {error}"));
        assert_eq!(&said, b"copied\n", "{how}");
        Self(child)
    }

    fn go_on(&mut self) {
        let stdin = self.0.stdin.as_mut().expect("piped");
        stdin.write_all(b"\n").expect("it waits");
    }
}

impl Drop for Copier {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        let _ended = self.0.wait();
    }
}

/// Copies that were found to be some.
fn found(host: &Host) -> usize {
    host.sensor
        .log()
        .matches("a copy of a credential is watched")
        .count()
}

#[test]
fn a_copy_at_no_path_is_watched_too() {
    if !can_load() {
        return;
    }
    let mut host = Host::new("version = 1\n", "");
    let original = host.decoy.path(".ssh/id_original");
    host.decoy.write(
        ".ssh/id_original",
        &format!("-----BEGIN OPENSSH PRIVATE KEY-----\n{SECRET}\n-----END OPENSSH PRIVATE KEY-----\n"),
    );
    let program = copier(&host.decoy.beside("copier"));
    host.sensor.start();
    let copied = |how: &str, to: &Path| {
        let before = found(&host);
        let copier = Copier::start(&program, how, &original, to);
        host.wait(how, |_| found(&host) > before);
        copier
    };

    // It gets a name only when it is whole.
    let linked = host.decoy.beside("linked");
    let mut unnamed = copied("unnamed", &linked);
    unnamed.go_on();
    drop(unnamed);
    cat(&linked);
    assert_eq!(host.uses(&linked).len(), 1, "{}", host.sensor.log());

    // What the next program has of it is what is open.
    drop(copied("executed", Path::new("/")));

    // Somebody else reads it out of the process that has it.
    let in_memory = copied("memory", Path::new("/"));
    let pid = in_memory.0.id();
    let number = fs::read_dir(format!("/proc/{pid}/fd"))
        .expect("there")
        .flatten()
        .map(|entry| entry.path())
        .find(|path| fs::read_link(path).is_ok_and(|to| to.to_string_lossy().contains("memfd:")))
        .expect("it has one");
    cat(&number);
    let read_memory = |events: &[Value]| {
        events
            .iter()
            .filter(|event| {
                event["kind"] == "credential_access"
                    && event["credential"]["catalogue_entry"] == "ssh-private-key"
                    && event["actor"]["process"]["comm"] == "cat"
                    && event["credential"]["path"] != linked.to_str().expect("plain")
            })
            .count()
    };
    assert_eq!(read_memory(&host.kept()), 1, "{}", host.sensor.log());
    drop(in_memory);

    let mut deep = host.decoy.beside("deep");
    for _ in 0..45 {
        deep.push("d");
    }
    fs::create_dir_all(&deep).expect("made");
    drop(copied("plain", &deep.join("copy")));
    let forked: PathBuf = host.decoy.beside("forked");
    drop(copied("forked", &forked));
    cat(&forked);
    assert_eq!(host.uses(&forked).len(), 1, "{}", host.sensor.log());
    // It had the file open for writing when the credential came to it, open, from another process.
    let received = host.decoy.beside("received");
    drop(copied("received", &received));
    cat(&received);
    assert_eq!(host.uses(&received).len(), 1, "{}", host.sensor.log());
}
