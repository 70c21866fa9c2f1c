//! Losses and faults that nothing but their cause brings about: a path that is cut, and an account that does not hold.

use std::{
    fs,
    path::{Path, PathBuf},
    thread::sleep,
    time::{Duration, Instant},
};

use claviger_sensor_common::{COUNTERS_PER_PROBE, Counter, PROBES, Probe};
use claviger_tests::{
    PATIENCE, can_load,
    ways::{Did, Programs},
};
use serde_json::Value;

use crate::host::Host;

const RENAMES: u64 = 7;
/// What the test adds to an account.
const SPOILED: u64 = 1_000;

/// The losses of this reason that gaps tell, by stage.
fn lost(events: &[Value], reason: &str) -> Vec<(String, u64)> {
    events
        .iter()
        .filter_map(|event| event["gap"]["losses"].as_array())
        .flatten()
        .filter(|loss| loss["reason"] == reason)
        .map(|loss| {
            let stage = loss["stage"].as_str().expect("text").to_owned();
            (stage, loss["count"].as_u64().expect("a number"))
        })
        .collect()
}

/// A directory below one of the catalogue's whose path has more bytes than a record of a path has room for.
fn deep(top: &Path) -> PathBuf {
    let mut deep = top.to_owned();
    while deep.as_os_str().len() <= 1_200 {
        deep.push("d".repeat(200));
    }
    fs::create_dir_all(&deep).expect("directories");
    deep
}

/// By its object a change is told however long its path is; by a path that is cut, it is counted as lost, each one.
#[test]
fn a_change_by_a_path_that_is_cut_is_told_or_counted() {
    if !can_load() {
        return;
    }
    let mut host = Host::new("");
    let directory = deep(&host.decoy.path(".kube/cache"));
    let names = ["token", "token2"].map(|name| directory.join(name));
    fs::write(&names[0], "x").expect("written");
    host.sensor.start();
    let status = host.sensor.status();
    let hook = status["probes"]
        .as_array()
        .and_then(|probes| probes.iter().find(|probe| probe["probe"] == "credential_change"))
        .and_then(|probe| probe["hook"].as_str())
        .expect("a hook")
        .to_owned();
    for number in 0..RENAMES {
        let (from, to) = if number % 2 == 0 { (0, 1) } else { (1, 0) };
        fs::rename(&names[from], &names[to]).expect("renamed");
    }
    let events = host.arrived(host.sensor.flush());
    let own = u64::from(std::process::id());
    let told = events
        .iter()
        .filter(|event| event["kind"] == "credential_change" && event["actor"]["process"]["pid"] == own)
        .count() as u64;
    let cut: u64 = lost(&events, "path_cut").iter().map(|(_, count)| count).sum();
    let by_path = hook.starts_with("tracepoint/");
    if by_path {
        assert_eq!((told, cut), (0, RENAMES), "{hook}: {events:#?}");
        assert_eq!(host.sensor.status()["accounts"]["lost"]["path_cut"], RENAMES);
    } else {
        assert_eq!(cut, 0, "{hook}: {events:#?}");
        assert!(told >= RENAMES, "{hook}: {told} of {RENAMES}: {events:#?}");
    }
}

/// The map of the accounts among a process's descriptors: numbers for each CPU, as many as there are accounts.
fn accounts_map(pid: u64) -> String {
    let entries = COUNTERS_PER_PROBE * u32::try_from(PROBES.len()).expect("few");
    let descriptors = fs::read_dir(format!("/proc/{pid}/fdinfo")).expect("it runs");
    let mut facts = descriptors
        .flatten()
        .filter_map(|entry| fs::read_to_string(entry.path()).ok());
    let of = |facts: &str, key: &str| {
        let line = facts.lines().find_map(|line| line.strip_prefix(key))?;
        Some(line.trim().to_owned())
    };
    let is_it = |facts: &String| {
        of(facts, "map_type:").as_deref() == Some("6")
            && of(facts, "max_entries:") == Some(entries.to_string())
    };
    let map = facts.find(is_it).expect("the sensor has its accounts");
    of(&map, "map_id:").expect("an id")
}

#[test]
fn an_account_that_does_not_hold_is_told_and_so_is_who_spoiled_it() {
    if !can_load() {
        return;
    }
    let mut host = Host::new("");
    host.sensor.start();
    let pid = host.sensor.status()["pid"].as_u64().expect("a pid");
    assert_eq!(host.sensor.status()["unbalanced"], serde_json::json!({}));
    let directory = tempfile::tempdir().expect("a directory");
    let programs = Programs::put(directory.path());
    let index = Counter::Seen.index(Probe::KernelKey).to_string();
    host.sensor.will_be_unbalanced();
    let (did, _running) = programs.run("account_spoiled", &accounts_map(pid), &index);
    let Did::It {
        pid: actor, errno: 0, ..
    } = did
    else {
        panic!("{did:?}")
    };
    let begun = Instant::now();
    while host.sensor.status()["unbalanced"]["kernel_key"] != SPOILED {
        assert!(begun.elapsed() < PATIENCE, "{}", host.sensor.log());
        sleep(Duration::from_millis(100));
    }
    let events = host.arrived(host.sensor.flush());
    assert_eq!(
        lost(&events, "accounts_unbalanced"),
        [("kernel_key".to_owned(), SPOILED)],
        "told once: {events:#?}"
    );
    assert!(
        host.sensor.log().contains("do not add up"),
        "{}",
        host.sensor.log()
    );
    let spoiled = events.iter().any(|event| {
        let target = event["tamper"]["target"].as_str().unwrap_or_default();
        event["kind"] == "sensor_tamper"
            && event["actor"]["process"]["pid"] == actor
            && target.starts_with("MAP_UPDATE_ELEM")
    });
    assert!(spoiled, "{events:#?}");
}
