//! Which hook is in use, and that it sees.

use claviger_tests::{can_load, expected_hook, sensor};
use serde_json::Value;

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
    for name in [
        "file_open_denied",
        "process_exec",
        "process_fork",
        "process_exit",
        "directory_list",
    ] {
        assert!(probe(&report, name)["hook"].is_string(), "{name}: {report:#}");
    }
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
