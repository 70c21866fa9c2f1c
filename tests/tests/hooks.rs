//! Which hook is in use, and that it sees.

use std::{
    fs::{self, File},
    os::{fd::AsRawFd as _, unix::fs::MetadataExt as _},
    path::PathBuf,
    time::{Duration, Instant},
};

use claviger_tests::{
    Decoy, Detector, PATIENCE, Sensor, can_load, expected_hook, sensor,
    ways::{Did, Programs},
};
use rustix::system::{delete_module, finit_module};
use serde_json::Value;

/// Where the modules of a VM's kernel lie.
const MODULES: &str = "/opt/claviger/modules";
/// include/uapi/linux/module.h
const COMPRESSED: i32 = 4;

fn check() -> Value {
    let output = sensor().args(["check", "--json"]).output().expect("runs");
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"))
}

fn probe<'a>(report: &'a Value, name: &str) -> &'a Value {
    report["probes"]
        .as_array()
        .and_then(|probes| probes.iter().find(|probe| probe["probe"] == name))
        .unwrap_or_else(|| panic!("no probe {name} in {report:#}"))
}

#[test]
fn the_hook_in_use_is_the_best_that_works_here() {
    if !can_load() {
        return;
    }
    let report = check();
    assert_eq!(report["can_watch"], true, "{report:#}");
    let file_open = probe(&report, "file_open");
    let hook = file_open["hook"].as_str().expect("a hook");
    if let Some(expected) = expected_hook() {
        assert_eq!(hook, expected, "{report:#}");
    }
    // Every better one was tried and has its reason.
    let order = [
        "lsm/file_open",
        "fentry/security_file_open",
        "tracepoint/syscalls/sys_exit_openat",
    ];
    let refused: Vec<_> = file_open["refused"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|trial| &trial["hook"])
        .collect();
    let place = order.iter().position(|name| *name == hook).expect("one of ours");
    assert_eq!(refused, order[..place], "{report:#}");
}

#[test]
fn a_hook_that_is_attached_and_never_runs_is_found_out() {
    if !can_load() {
        return;
    }
    let report = check();
    let lsms = report["active_lsms"].as_str().unwrap_or_default().to_owned();
    let file_open = probe(&report, "file_open");
    let lsm = file_open["refused"]
        .as_array()
        .and_then(|refused| refused.iter().find(|trial| trial["hook"] == "lsm/file_open"));
    if lsms.split(',').any(|lsm| lsm == "bpf") {
        eprintln!("not this boot: bpf is among the active LSMs ({lsms})");
        return;
    }
    let reason = lsm.expect("it cannot be in use")["reason"]
        .as_str()
        .expect("a reason")
        .to_owned();
    assert!(
        reason.contains("attached but never ran") || reason.contains("refused at load"),
        "without bpf among {lsms}: {reason}"
    );
    if expected_hook().is_some() {
        // Debian's kernels load and attach it without a word.
        assert!(reason.contains("attached but never ran"), "{reason}");
    }
}

#[test]
fn every_other_probe_works() {
    if !can_load() {
        return;
    }
    let report = check();
    let probes = report["probes"].as_array().expect("a list");
    let without: Vec<_> = probes.iter().filter(|probe| !probe["hook"].is_string()).collect();
    assert!(without.is_empty(), "{without:#?}");
    // Where the kernel takes functions' hooks, it refuses none of those that ours prefer to calls.
    if expected_hook().is_some_and(|hook| !hook.starts_with("tracepoint")) {
        let refused: Vec<_> = probes
            .iter()
            .filter(|probe| probe["refused"].to_string().contains("refused at load"))
            .collect();
        assert!(refused.is_empty(), "{refused:#?}");
    }
}

/// What only the level of tracepoints has is loaded there alone, and better levels are to be had on most kernels. Of two forms of a program one is refused, for it
/// is another kernel's; none is for what it takes of the stack, or for its length.
#[test]
fn every_other_program_fits_with_tracepoints_alone() {
    if !can_load() {
        return;
    }
    let directory = tempfile::tempdir().expect("a directory");
    let config = directory.path().join("sensor.toml");
    fs::write(&config, "[probes]\nfile_open_hooks = ['tracepoint']\n").expect("written");
    let output = sensor()
        .args(["check", "--json", "--config"])
        .arg(&config)
        .env("CLAVIGER_LOG", "debug")
        .output()
        .expect("runs");
    let said = String::from_utf8_lossy(&output.stderr);
    let too_large: Vec<_> = said
        .lines()
        .filter(|line| line.contains("cannot be seen") || line.contains("combined stack"))
        .filter(|line| {
            ["stack depth", "combined stack", "too large"]
                .iter()
                .any(|much| line.contains(much))
        })
        .collect();
    assert!(too_large.is_empty(), "{too_large:#?}");
    let report: Value = serde_json::from_slice(&output.stdout).expect("a report");
    assert_eq!(report["can_watch"], true, "{report:#}");
    let probes = report["probes"].as_array().expect("a list");
    let without: Vec<_> = probes.iter().filter(|probe| !probe["hook"].is_string()).collect();
    assert!(without.is_empty(), "{without:#?}");
}

/// A process begins with a table of 64 descriptors, which is followed in another way than one that has grown.
#[test]
fn an_open_is_told_whatever_its_descriptor_with_tracepoints_alone() {
    const FILES: usize = 80;
    if !can_load() {
        return;
    }
    let directory = tempfile::tempdir().expect("a directory");
    let decoy = Decoy::new();
    let keys: Vec<_> = (0..FILES).map(|number| format!(".ssh/id_{number}")).collect();
    for key in &keys {
        decoy.write(key, "-----BEGIN OPENSSH PRIVATE KEY-----\n");
    }
    let detector = Detector::start(directory.path());
    let tracepoints = "[probes]\nfile_open_hooks = ['tracepoint']\n";
    let mut sensor = Sensor::new(detector.address(), &decoy.home(), tracepoints);
    let enrolled = sensor.enrol(detector.address(), &detector.token());
    assert!(enrolled.status.success(), "{enrolled:?}");
    sensor.start();
    let opened: Vec<_> = keys
        .iter()
        .map(|key| File::open(decoy.path(key)).expect("opened"))
        .collect();
    let numbers = |file: &File| file.as_raw_fd();
    assert!(opened.iter().map(numbers).min() < Some(64) && opened.iter().map(numbers).max() > Some(64));
    let expected: Vec<_> = opened
        .iter()
        .map(|file| file.metadata().expect("open").ino())
        .collect();
    let told: Vec<_> = events_until(&detector, sensor.flush(), &mut 0)
        .iter()
        .filter(|event| event["actor"]["process"]["pid"] == std::process::id())
        .filter(|event| event["kind"] == "credential_access" && event["outcome"] == "succeeded")
        .map(|event| event["credential"]["inode"].as_u64().expect("a number"))
        .collect();
    assert_eq!(told, expected, "{}", sensor.log());
}

#[test]
fn without_root_it_says_what_is_missing_and_fails() {
    if !can_load() {
        return;
    }
    use std::os::unix::process::CommandExt as _;
    // The binary may lie where nobody else may go; then there is nothing to try.
    let output = match sensor().arg("check").uid(65_534).gid(65_534).output() {
        Ok(output) => output,
        Err(error) => {
            eprintln!("skipped: another user cannot start the sensor: {error}");
            return;
        }
    };
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        said.contains("not permitted to load eBPF programs") && said.contains("CAP_BPF"),
        "{said}"
    );
}

/// The module of overlayfs, where it is one that can be taken out and put in here.
fn overlay_module() -> Option<PathBuf> {
    let mut modules = fs::read_dir(MODULES).ok()?.flatten();
    let module = modules.find(|module| module.file_name().to_string_lossy().starts_with("overlay.ko"))?;
    delete_module(c"overlay", 0).ok()?;
    Some(module.path())
}

#[test]
fn overlayfs_is_followed_to_its_layers_though_its_module_came_later() {
    if !can_load() {
        return;
    }
    let Some(module) = overlay_module() else {
        eprintln!("not here: overlayfs is no module that can be taken out");
        return;
    };
    let directory = tempfile::tempdir().expect("a directory");
    let decoy = Decoy::new();
    let programs = decoy.beside("programs");
    fs::create_dir(&programs).expect("a directory");
    let programs = Programs::put(&programs);
    let key = decoy.path(".ssh/id_rsa");
    decoy.write(".ssh/id_rsa", "-----BEGIN OPENSSH PRIVATE KEY-----\n");
    let detector = Detector::start(directory.path());
    let mut sensor = Sensor::new(detector.address(), &decoy.home(), "");
    let enrolled = sensor.enrol(detector.address(), &detector.token());
    assert!(enrolled.status.success(), "{enrolled:?}");
    sensor.start();
    let is_blind = |status: &Value| {
        let cannot_see = probe(status, "file_open")["cannot_see"].clone();
        cannot_see.to_string().contains("overlayfs")
    };
    assert!(is_blind(&sensor.status()), "{:#}", sensor.status());

    let flags = match module.extension().is_some_and(|extension| extension == "ko") {
        true => 0,
        false => COMPRESSED,
    };
    finit_module(File::open(&module).expect("there"), c"", flags).expect("it can be loaded");
    let begun = Instant::now();
    while is_blind(&sensor.status()) {
        assert!(begun.elapsed() < PATIENCE, "{}", sensor.log());
        std::thread::sleep(Duration::from_millis(20));
    }
    let text = |path: PathBuf| path.to_str().expect("plain").to_owned();
    let mut seen = 0;
    // What is copied up is known by the layers alone, whatever the hook; also in an overlay on another.
    for (program, name, copy) in [
        ("overlay_copied_up", "overlay", "empty/id_rsa"),
        ("overlay_copied_up_above", "two", "upper/id_rsa"),
    ] {
        let other = decoy.beside(name);
        let (did, running) = programs.run(program, &text(key.clone()), &text(other.clone()));
        drop(running);
        let Did::It { pid, errno: 0, .. } = did else {
            panic!("{program}: {did:?}")
        };
        let new = events_until(&detector, sensor.flush(), &mut seen);
        // What the overlay reads to copy it up is nobody's use, and so is told of nobody.
        let uses: Vec<_> = new
            .iter()
            .filter(|event| event["kind"] == "credential_access")
            .collect();
        let [only] = uses[..] else {
            panic!("{program}: {uses:#?}\n{}", sensor.log())
        };
        assert_eq!(only["actor"]["process"]["pid"], pid);
        let copied = fs::metadata(other.join(copy)).expect("copied up");
        assert_eq!(only["credential"]["inode"], copied.ino(), "{program}");
    }
}

/// By path alone, another name of a credential is none.
#[test]
fn what_is_done_to_a_hard_link_is_told_of_that_link() {
    if !can_load() {
        return;
    }
    let directory = tempfile::tempdir().expect("a directory");
    let decoy = Decoy::new();
    decoy.write(".ssh/id_rsa", "-----BEGIN OPENSSH PRIVATE KEY-----\n");
    let detector = Detector::start(directory.path());
    let mut sensor = Sensor::new(detector.address(), &decoy.home(), "");
    let enrolled = sensor.enrol(detector.address(), &detector.token());
    assert!(enrolled.status.success(), "{enrolled:?}");
    sensor.start();
    let status = sensor.status();
    let hook = probe(&status, "file_open")["hook"].clone();
    if hook.as_str().is_some_and(|hook| hook.starts_with("tracepoint/")) {
        eprintln!("not at this level: {hook}");
        return;
    }
    let (key, link) = (decoy.path(".ssh/id_rsa"), decoy.beside("link"));
    fs::hard_link(&key, &link).expect("linked");
    fs::remove_file(&link).expect("removed");
    let events = events_until(&detector, sensor.flush(), &mut 0);
    let removed: Vec<_> = events
        .iter()
        .filter(|event| event["change"]["what"] == "removed")
        .map(|event| event["change"]["before"].clone())
        .collect();
    let [Value::String(before)] = &removed[..] else {
        panic!("{removed:?}\n{}", sensor.log())
    };
    assert!(before.ends_with("link"), "{before}");
    assert!(key.exists());
}

/// What was told after the first `seen`, up to a sequence.
fn events_until(detector: &Detector, last: u64, seen: &mut usize) -> Vec<Value> {
    let begun = Instant::now();
    loop {
        let events = detector.read("events", "event");
        if events
            .iter()
            .any(|event| event["id"]["sequence"].as_u64() >= Some(last))
        {
            let new = events.get(*seen..).unwrap_or_default().to_vec();
            *seen = events.len();
            return new;
        }
        assert!(begun.elapsed() < PATIENCE, "{}", detector.log());
        std::thread::sleep(Duration::from_millis(20));
    }
}
