//! Uses that are counted by who makes them, each of another key, so that each is a first use and can be told from all others.

use std::{
    collections::BTreeMap,
    fs,
    ops::Range,
    process::{Command, Stdio},
    time::SystemTime,
};

use claviger_proto::catalogue::Catalogue;
use claviger_tests::Exposition;
use rustix::thread::{CpuSet, sched_setaffinity};
use serde_json::Value;

use crate::host::Host;

/// A use that was made.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Made {
    /// Before it began.
    pub(crate) from: SystemTime,
    /// When it was over.
    pub(crate) to: SystemTime,
}

/// A catalogue of SSH keys alone, and the line of configuration for it: what else goes on here is then not in the accounts.
pub(crate) fn only_keys() -> (tempfile::TempDir, String) {
    let catalogue = tempfile::tempdir().expect("a directory");
    let others: Vec<&str> = Catalogue::shipped()
        .entries()
        .iter()
        .map(|entry| entry.id())
        .filter(|id| *id != "ssh-private-key")
        .collect();
    fs::write(
        catalogue.path().join("only.toml"),
        format!("version = 1\nremove = {others:?}\n"),
    )
    .expect("written");
    let config = format!("directory = {:?}", catalogue.path());
    (catalogue, config)
}

/// Makes so many keys.
pub(crate) fn make_keys(host: &Host, count: u64) {
    for number in 0..count {
        let key = format!(".ssh/id_{number}");
        host.decoy.write(&key, "-----BEGIN OPENSSH PRIVATE KEY-----\n");
    }
}

/// Reads each of these keys once, by a process of its own.
pub(crate) fn use_keys(host: &Host, keys: Range<u64>) -> BTreeMap<u64, Made> {
    let one = |number| {
        let from = SystemTime::now();
        let read = Command::new("/bin/cat")
            .arg(host.decoy.path(&format!(".ssh/id_{number}")))
            .stdout(Stdio::null())
            .status()
            .expect("runs");
        assert!(read.success());
        let to = SystemTime::now();
        (number, Made { from, to })
    };
    keys.map(one).collect()
}

/// The same on one CPU. What this thread starts from then on stays there too.
pub(crate) fn use_keys_on(host: &Host, cpu: usize, keys: Range<u64>) -> BTreeMap<u64, Made> {
    stay_on(cpu);
    use_keys(host, keys)
}

/// Has this thread, and what it starts, run on one CPU.
pub(crate) fn stay_on(cpu: usize) {
    let mut only = CpuSet::new();
    only.set(cpu);
    sched_setaffinity(None, &only).expect("the CPU is online");
}

/// How many uses of each key these events tell.
pub(crate) fn told(host: &Host, events: &[Value]) -> BTreeMap<u64, u64> {
    let directory = host.decoy.path(".ssh/id_").display().to_string();
    let mut told = BTreeMap::new();
    for event in events.iter().filter(|event| event["kind"] == "credential_access") {
        let path = event["credential"]["path"].as_str();
        let number = path.and_then(|path| path.strip_prefix(&directory)?.parse().ok());
        if let (Some(number), Some(count)) = (number, event["count"].as_u64()) {
            *told.entry(number).or_default() += count;
        }
    }
    told
}

/// Uses of keys that the kernel half reported, by the metrics: all but those of the sensor's own files, which its commands read, which are found open, by which it tests
/// itself, and, where hooks see a program's file being opened and mapped as it is started, its program.
pub(crate) fn reported(metrics: &Exposition) -> u64 {
    let probes = ["file_open", "file_mapped", "open_descriptors"];
    let submitted = |probe| {
        metrics.number(&format!(
            "claviger_sensor_kernel_submitted_total{{probe=\"{probe}\"}}"
        ))
    };
    let all: u64 = probes.into_iter().map(submitted).sum();
    let own: u64 = ["own_file_read", "self_test"]
        .map(|reason| metrics.number(&format!("claviger_sensor_dropped_total{{reason=\"{reason}\"}}")))
        .iter()
        .sum();
    all - own
}
