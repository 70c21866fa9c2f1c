//! Trees of files that others see: what a container has when its first program starts is known then, whatever made the tree.

use std::{
    fs,
    io::{BufRead as _, BufReader, Write as _},
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use claviger_tests::can_load;
use rustix::process::Signal;

use crate::host::Host;

const EMPTY: &str = "version = 1\n";

/// All trees are looked into every 30 seconds, for the first time when the sensor starts. What is seen within this time was looked for.
const BEFORE_THE_NEXT_LOOK: Duration = Duration::from_secs(24);

const CREDENTIAL: &str = "[default]\\naws_access_key_id = AKIAIOSFODNN7EXAMPLE\\n";

/// A shell that runs a line after the other of what it is told.
struct Inside {
    child: Child,
    said: BufReader<ChildStdout>,
}

const LISTENS: &str = "echo there; while read line; do eval \"$line\" && echo done || echo failed; done";

impl Inside {
    /// By a command and a script of the shell's, which ends with one that listens.
    fn start(command: &[&str], script: &str) -> Self {
        let mut child = Command::new(command[0])
            .args(&command[1..])
            .args(["sh", "-c", script])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("util-linux is on every Debian");
        let mut inside = Self {
            said: BufReader::new(child.stdout.take().expect("piped")),
            child,
        };
        assert_eq!(inside.line(), "there", "{script}");
        inside
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.said.read_line(&mut line).expect("UTF-8");
        line.trim_end().to_owned()
    }

    fn run(&mut self, line: &str) {
        let stdin = self.child.stdin.as_mut().expect("piped");
        writeln!(stdin, "{line}").expect("it runs");
        assert_eq!(self.line(), "done", "{line}");
    }

    fn reads_until_seen(&mut self, host: &Host, path: &Path) {
        let begun = Instant::now();
        loop {
            self.run(&format!("cat {} > /dev/null", path.display()));
            if !host.uses(path).is_empty() {
                return;
            }
            assert!(
                begun.elapsed() < BEFORE_THE_NEXT_LOOK,
                "{} is not seen\n{}",
                path.display(),
                host.sensor.log()
            );
            thread::sleep(Duration::from_millis(20));
        }
    }

    fn namespace(&self) -> PathBuf {
        fs::read_link(format!("/proc/{}/ns/mnt", self.child.id())).expect("it runs")
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _waited = self.child.wait();
    }
}

const UNSHARE: [&str; 4] = ["unshare", "--mount", "--propagation", "private"];

/// Commands that fill a directory with what a container needs and a credential of this name.
fn fill(tree: &Path, name: &str) -> String {
    format!(
        "cd {} && mkdir -p bin dev old root/.ssh && cp $(command -v busybox) bin/busybox && ln -s busybox bin/cat && \
         ln -s busybox bin/sh && touch dev/null && echo decoy > root/.ssh/id_{name}",
        tree.display()
    )
}

#[test]
fn a_tree_is_looked_into_when_its_first_program_starts_however_it_came_to_be_the_root() {
    if !can_load() {
        return;
    }
    let mut host = Host::new(EMPTY, "");
    let place = tempfile::tempdir().expect("a directory");
    let tree = |name: &str| {
        let tree = place.path().join(name);
        fs::create_dir(&tree).expect("made");
        tree
    };
    host.sensor.start();
    // Each time a program is started in the namespace before, with the tree that the host has.
    let pivoted = tree("pivoted");
    let script = format!(
        "mount -t tmpfs none {} && {} && pivot_root . old && cd / && exec /bin/sh -c '{LISTENS}'",
        pivoted.display(),
        fill(&pivoted, "pivoted")
    );
    let mut inside = Inside::start(&UNSHARE, &script);
    inside.reads_until_seen(&host, Path::new("/root/.ssh/id_pivoted"));

    let moved = tree("moved");
    let script = format!(
        "mount -t tmpfs none {} && {} && mount --move . / && exec chroot . /bin/sh -c '{LISTENS}'",
        moved.display(),
        fill(&moved, "moved")
    );
    let mut inside = Inside::start(&UNSHARE, &script);
    inside.reads_until_seen(&host, Path::new("/root/.ssh/id_moved"));

    // In the host's own namespace.
    let changed = tree("changed");
    let script = format!(
        "{} && exec chroot . /bin/sh -c '{LISTENS}'",
        fill(&changed, "changed")
    );
    let mut inside = Inside::start(&["env"], &script);
    inside.reads_until_seen(&host, Path::new("/root/.ssh/id_changed"));
    host.sensor.end(Signal::TERM);
}

/// Number for number: the kernel gives that of a namespace which has ended to the next one.
#[test]
fn each_namespace_that_gets_the_number_of_one_before_is_looked_into() {
    if !can_load() {
        return;
    }
    let mut host = Host::new(EMPTY, "");
    let place = tempfile::tempdir().expect("a directory");
    host.sensor.start();
    let mut before = None;
    let mut given_again = false;
    for round in 0..3 {
        let key = place.path().join(format!("app/.ssh/id_{round}"));
        let script = format!(
            "mount -t tmpfs none {0} && mkdir -p {0}/app/.ssh && echo app:x:1:1::{0}/app:/bin/sh > {0}/passwd && \
             mount --bind {0}/passwd /etc/passwd && echo decoy > {1} && {LISTENS}",
            place.path().display(),
            key.display()
        );
        let mut inside = Inside::start(&UNSHARE, &script);
        let number = inside.namespace();
        given_again |= before.as_ref() == Some(&number);
        before = Some(number);
        inside.reads_until_seen(&host, &key);
    }
    if !given_again {
        eprintln!("not tested: this kernel gave each namespace a number of its own");
    }
    host.sensor.end(Signal::TERM);
}

/// A configured home is one wherever it is seen, whatever user database is there.
#[test]
fn what_is_mounted_over_a_configured_home_in_another_namespace_is_seen() {
    if !can_load() {
        return;
    }
    let mut host = Host::new(EMPTY, "");
    host.sensor.start();
    let mut inside = Inside::start(&UNSHARE, LISTENS);
    // Until then it is looked into for having begun.
    thread::sleep(Duration::from_secs(3));
    let home = host.decoy.home();
    inside.run(&format!(
        "mount -t tmpfs none {0} && mkdir {0}/.aws && printf '{CREDENTIAL}' > {0}/.aws/credentials",
        home.display()
    ));
    inside.reads_until_seen(&host, &home.join(".aws/credentials"));
    host.sensor.end(Signal::TERM);
}
