//! Other programs at the paths of usual ones: by mounts of one's own, in a user namespace, below another root. The path that is shown is the usual one.

use std::{fs, path::Path, process::Command};

use claviger_tests::{Decoy, Detector, Sensor, can_load};
use rustix::process::Signal;
use serde_json::Value;

use crate::{
    cases::{Cases, Seen, installed},
    service::wait_for,
};

const CAT: &str = "/usr/bin/cat";
/// Runs as another than root, in namespaces of his own.
const AS_NOBODY: &str =
    "setpriv --reuid=65534 --regid=65534 --clear-groups unshare --user --map-root-user --mount";
const LIBRARIES: [&str; 2] = ["/lib64/ld-linux-x86-64.so.2", "/lib/x86_64-linux-gnu/libc.so.6"];

#[test]
fn a_path_is_believed_only_for_the_file_that_lies_there() {
    if !can_load() {
        return;
    }
    let mut cases = Cases::new();
    let mount = format!("mount --bind /usr/bin/head {CAT}");
    open_to_all(&cases.decoy);
    let read = |case: &str| format!("{CAT} {} > /dev/null", cases.target(case));
    let commands = [
        read("honest"),
        // A service that systemd gives mounts of its own runs the host's programs.
        format!("unshare --mount sh -c '{}'", read("mounts")),
        format!("unshare --mount sh -c '{mount}; {}'", read("over")),
        format!("{AS_NOBODY} sh -c '{mount}; {}'", read("user")),
    ];
    let chroot = tree(&cases, "chroot", &["chroot"]);
    let elsewhere = [format!("unshare --root={chroot} {}", read("chroot"))];
    for command in commands.into_iter().chain(elsewhere) {
        cases.run(&command);
    }
    are_told(&cases.trace());
}

fn are_told(seen: &Seen) {
    let place = |case: &str| {
        let process = seen.process(case);
        assert_eq!(process["exe_path"], CAT, "{process:#}");
        process["exe_place"].clone()
    };
    for (case, tree) in [("honest", "host"), ("mounts", "host")] {
        let place = place(case);
        assert_eq!(place["tree"], tree, "{case}: {place:#}");
        assert_eq!((&place["owner_uid"], &place["mode"]), (&0.into(), &0o755.into()));
        assert_eq!(place["reason"], "");
    }
    for case in ["over", "user", "chroot"] {
        let place = place(case);
        // Of one that was gone with its mounts before they were looked at, no more is known than that it is not the host's.
        let is_gone = case == "over" && place["tree"] == "unspecified";
        assert!(is_gone || place["tree"] == "none", "{case}: {place:#}");
        assert_ne!(place["reason"], "", "{case}");
    }
    assert_eq!(seen.process("user")["euid"], 65_534);
}

/// Lets anybody read the decoy.
fn open_to_all(decoy: &Decoy) {
    let directories = [decoy.beside(""), decoy.home(), decoy.path(".aws")];
    for (path, mode) in directories
        .iter()
        .map(|path| (path.clone(), 0o755))
        .chain([(decoy.path(".aws/credentials"), 0o644)])
    {
        let permissions = std::os::unix::fs::PermissionsExt::from_mode(mode);
        fs::set_permissions(path, permissions).expect("set");
    }
}

/// A tree of files in which another program is called `cat`, with the decoy at its path for these cases.
fn tree(cases: &Cases, name: &str, targets: &[&str]) -> String {
    let root = cases.place(name);
    let within = |path: &str| format!("{root}{path}");
    let programs = [("/usr/bin/head", CAT)];
    let libraries = LIBRARIES.map(|path| (path, path));
    for (from, to) in programs.into_iter().chain(libraries) {
        let to = within(to);
        fs::create_dir_all(Path::new(&to).parent().expect("a directory")).expect("made");
        fs::copy(from, to).expect("copied");
    }
    for directory in ["/old", "/dev"] {
        fs::create_dir_all(within(directory)).expect("made");
    }
    fs::write(within("/dev/null"), "").expect("written");
    for target in targets {
        let target = cases.target(target);
        let inside = within(&target);
        fs::create_dir_all(Path::new(&inside).parent().expect("a directory")).expect("made");
        fs::hard_link(target, inside).expect("linked");
    }
    root
}

/// A service, with its detector.
pub(crate) struct Service {
    _directory: tempfile::TempDir,
    pub(crate) detector: Detector,
    pub(crate) sensor: Sensor,
}

impl Service {
    pub(crate) fn start(decoy: &Decoy) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let detector = Detector::start(directory.path());
        let mut sensor = Sensor::new(detector.address(), &decoy.home(), "");
        let enrolled = sensor.enrol(detector.address(), &detector.token());
        assert!(enrolled.status.success());
        sensor.start();
        Self {
            _directory: directory,
            detector,
            sensor,
        }
    }

    pub(crate) fn end(mut self) {
        self.sensor.end(Signal::TERM);
        self.detector.stop();
    }
}

#[test]
fn a_containers_program_is_believed_where_its_tree_was_given_and_nothing_mounted_over_it() {
    if !can_load() {
        return;
    }
    let mounts = fs::read_to_string("/proc/self/mounts").expect("readable");
    if mounts.lines().any(|mount| mount.contains(" / rootfs ")) {
        eprintln!("not here: nothing pivots out of the kernel's first root");
        return;
    }
    let cases = Cases::new();
    let service = Service::start(&cases.decoy);
    let root = tree(&cases, "container", &["given", "covered"]);
    let pivot = format!("cd {root}; pivot_root . old");
    for (case, before, tree) in [
        ("given", String::new(), "own"),
        (
            "covered",
            format!("mount --bind /usr/bin/head {root}{CAT}; "),
            "none",
        ),
    ] {
        let target = cases.target(case);
        let script = format!("mount --bind {root} {root}; {before}{pivot}; {CAT} {target}; read end");
        let mut container = Command::new("unshare")
            .args(["--mount", "sh", "-c", &script])
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::null())
            .spawn()
            .expect("starts");
        let event = wait_for(&service.detector, "events", "event", |event| {
            event["kind"] == "credential_access" && event["credential"]["path"] == target
        });
        let process = &event["actor"]["process"];
        assert_eq!(process["exe_path"], CAT, "{process:#}");
        assert_eq!(process["exe_place"]["tree"], tree, "{case}: {process:#}");
        // The first process of the container ends.
        drop(container.stdin.take());
        container.wait().expect("ends");
    }
    service.end();
}

#[test]
fn a_usual_reader_that_is_forged_is_a_finding_and_says_why() {
    const READER: &str = "/usr/bin/ssh-keygen";
    if !can_load() {
        return;
    }
    if installed(&[READER]).is_none() {
        eprintln!("skipped: no ssh-keygen here");
        return;
    }
    let decoy = Decoy::new();
    let key = decoy.path(".ssh/id_forged");
    fs::create_dir_all(decoy.path(".ssh")).expect("made");
    run(Command::new(READER)
        .args(["-q", "-t", "ed25519", "-N", "", "-f"])
        .arg(&key));
    let service = Service::start(&decoy);
    let detector = &service.detector;
    run(Command::new(READER).args(["-y", "-f"]).arg(&key));
    let forge = format!("mount --bind {CAT} {READER}; {READER} {}", key.display());
    run(Command::new("unshare").args(["--mount", "sh", "-c", &forge]));
    service.sensor.flush();
    let is_of_key = |of: &Value| of["credential"]["path"] == key.to_str().expect("plain");
    wait_for(detector, "events", "event", |event| {
        is_of_key(event) && event["actor"]["process"]["exe_place"]["tree"] == "host"
    });
    wait_for(detector, "findings", "finding", is_of_key);
    let found = detector.read("findings", "finding");
    let found: Vec<&Value> = found.iter().filter(|finding| is_of_key(finding)).collect();
    assert_eq!(found.len(), 1, "{found:#?}");
    let summary = found[0]["summary"].as_str().expect("a sentence");
    assert!(
        summary.contains("it has the path of a program that usually does so, /usr/bin/ssh-keygen, but "),
        "{summary}"
    );
    service.end();
}

pub(crate) fn run(command: &mut Command) {
    // What runs the tests looks for its own libraries first.
    let output = command.env_remove("LD_LIBRARY_PATH").output().expect("starts");
    assert!(output.status.success(), "{command:?}: {output:?}");
}
