//! A file system that does not answer.

use std::{
    fs,
    io::{BufRead as _, BufReader, Write as _},
    path::Path,
    process::{Child, Command, Stdio},
};

use claviger_tests::can_load;

use crate::host::Host;

/// File systems that do not answer, in a mount namespace of their own.
struct Silent {
    child: Child,
}

impl Silent {
    /// Nothing where this machine has no FUSE.
    fn over(directories: &[&Path]) -> Option<Self> {
        if !Path::new("/dev/fuse").exists() {
            eprintln!("not tested: this machine has no /dev/fuse");
            return None;
        }
        let mut child = Command::new("unshare")
            .args(["--mount", "--propagation", "private"])
            .arg(env!("CARGO_BIN_EXE_silent-fuse"))
            .args(directories)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("util-linux is on every Debian");
        let mut said = String::new();
        let stdout = child.stdout.as_mut().expect("piped");
        BufReader::new(stdout).read_line(&mut said).expect("UTF-8");
        assert_eq!(said, "mounted\n");
        Some(Self { child })
    }

    /// A command that is run there.
    fn wrapper(&self) -> Vec<String> {
        vec![
            "nsenter".to_owned(),
            format!("--mount=/proc/{}/ns/mnt", self.child.id()),
        ]
    }

    fn run(&self, command: &[&str]) -> std::process::Output {
        let wrapper = self.wrapper();
        Command::new(&wrapper[0])
            .args(&wrapper[1..])
            .args(command)
            .output()
            .expect("runs")
    }

    fn answer(&mut self) {
        let stdin = self.child.stdin.as_mut().expect("piped");
        stdin.write_all(b"answer\n").expect("it runs");
    }
}

impl Drop for Silent {
    fn drop(&mut self) {
        // What hangs there ends with it.
        let _ended = self.child.kill();
        let _waited = self.child.wait();
    }
}

#[test]
fn what_does_not_answer_keeps_nothing_else_from_being_watched() {
    if !can_load() {
        return;
    }
    let mut host = Host::new("version = 1\n", "");
    // One lies over a place of the catalogue, and a link leads into the other.
    let over = host.decoy.path(".kube");
    let beside = host.decoy.beside("silent");
    for directory in [&over, &beside] {
        fs::create_dir_all(directory).expect("made");
    }
    let link = host.decoy.path(".netrc");
    std::os::unix::fs::symlink(beside.join("key"), &link).expect("linked");
    let Some(mut silent) = Silent::over(&[&over, &beside]) else {
        return;
    };
    host.sensor.start_by(&silent.wrapper());

    let hanging = serde_json::json!([link.display().to_string()]);
    let status = host.wait("something that hangs", |status| status["hanging"] == hanging);
    assert!(
        status["labelled"]["left_out"].as_u64() >= Some(2),
        "both are left out: {status:#}"
    );
    let said = format!("path={}", link.display());
    let log = host.sensor.log();
    assert!(
        log.lines()
            .any(|line| line.contains("a file system does not answer") && line.contains(&said)),
        "{log}"
    );
    let checked = host.run(&["check", "--self"]);
    assert_eq!(checked.status.code(), Some(1));

    // What was there, and what appears, is watched all the same.
    let read = |path: &Path| {
        let cat = silent.run(&["cat", &path.display().to_string()]);
        assert!(cat.status.success());
    };
    let there = host.decoy.path(".aws/credentials");
    read(&there);
    assert_eq!(host.uses(&there).len(), 1, "{}", host.sensor.log());
    let labelled = host.sensor.status()["labelled"]["files"].as_u64();
    host.decoy.write(".ssh/id_new", "a decoy");
    host.wait("the new one is labelled", |status| {
        status["labelled"]["files"].as_u64() > labelled
    });
    let new = host.decoy.path(".ssh/id_new");
    read(&new);
    assert_eq!(host.uses(&new).len(), 1, "{}", host.sensor.log());

    silent.answer();
    host.wait("nothing that hangs", |status| {
        status["hanging"] == serde_json::json!([])
    });
    let labelled = labelled.map(|before| before + 2);
    host.wait("what the link leads to is labelled", |status| {
        status["labelled"]["files"].as_u64() >= labelled
    });
    let key = silent.run(&["cat", &link.display().to_string()]);
    assert!(key.status.success(), "{key:?}");
    let uses = host.uses(&beside.join("key"));
    assert_eq!(uses.len(), 1, "{}", host.sensor.log());
    assert_eq!(uses[0]["credential"]["kind"], "netrc_password");
    let events = host.kept();
    let told = |what: &str, reason: &str| events.iter().any(|event| event[what]["reason"] == reason);
    assert!(told("sensor_status", "file_system_hangs"));
    assert!(told("gap", "file_system_hung"));
}
