//! Descriptors that another thread closes, or puts another file in the place of, before a call on them has ended.

use claviger_tests::{
    can_load,
    ways::{Did, Programs},
};
use serde_json::Value;

use crate::{generator::only_keys, host::Host};

const KEY: &str = "-----BEGIN OPENSSH PRIVATE KEY-----\n";

/// As an object of a way.
const SENSOR: &str = "the sensor";

/// What came of a way in which two threads race.
struct Raced {
    /// How often it succeeded, by its own count.
    times: u64,
    /// Who it was.
    pid: u64,
    events: Vec<Value>,
    /// What opens are seen by.
    hook: String,
}

impl Raced {
    /// Runs a way on a file of the decoy, or on the sensor, with another key; nothing where this kernel does no such thing.
    fn run(way: &str, object: &str) -> Option<Self> {
        let (_catalogue, config) = only_keys();
        let mut host = Host::new(&config);
        host.decoy.write(".ssh/id_raced", KEY);
        host.decoy.write(".ssh/id_other", KEY);
        let place = host.decoy.beside("programs");
        std::fs::create_dir_all(&place).expect("a directory");
        let programs = Programs::put(&place);
        host.sensor.start();
        let path = |name| host.decoy.path(name).display().to_string();
        let object = match object {
            SENSOR => host.sensor.status()["pid"].to_string(),
            file => path(file),
        };
        let (did, running) = programs.run(way, &object, &path(".ssh/id_other"));
        drop(running);
        let (pid, target) = match did {
            Did::It {
                pid,
                errno: 0,
                target,
            } => (pid, target),
            Did::Nothing(why) => {
                eprintln!("skipped: {why}");
                return None;
            }
            Did::It { .. } => panic!("{did:?}"),
        };
        let events = host.arrived(host.sensor.flush());
        let status = host.sensor.status();
        let probes = status["probes"].as_array().expect("a list");
        let opens = probes.iter().find(|probe| probe["probe"] == "file_open");
        Some(Self {
            times: u64::try_from(target).expect("a number"),
            pid,
            events,
            hook: opens
                .and_then(|probe| probe["hook"].as_str())
                .expect("a hook")
                .to_owned(),
        })
    }

    fn is_by_call(&self) -> bool {
        self.hook.starts_with("tracepoint")
    }

    /// How often the actor was told to have done what this is true of.
    fn told(&self, is_it: impl Fn(&Value) -> bool) -> u64 {
        self.events
            .iter()
            .filter(|event| event["actor"]["process"]["pid"] == self.pid && is_it(event))
            .filter_map(|event| event["count"].as_u64())
            .sum()
    }

    /// How many observations of a stage were lost because their descriptor was gone.
    fn lost(&self, stage: &str) -> u64 {
        self.events
            .iter()
            .filter_map(|event| event["gap"]["losses"].as_array())
            .flatten()
            .filter(|loss| loss["stage"] == stage && loss["reason"] == "descriptor_gone")
            .filter_map(|loss| loss["count"].as_u64())
            .sum()
    }
}

fn opened(event: &Value, name: &str) -> bool {
    event["credential"]["operation"] == "read"
        && event["credential"]["path"]
            .as_str()
            .is_some_and(|path| path.ends_with(name))
}

/// Each open is told or counted as lost, where nothing says any more what was opened.
#[test]
fn an_open_whose_descriptor_is_closed_at_once_is_told_or_counted() {
    if !can_load() {
        return;
    }
    let raced = Raced::run("raced_closes", ".ssh/id_raced").expect("done");
    let (told, lost) = (
        raced.told(|event| opened(event, "id_raced")),
        raced.lost("file_open"),
    );
    println!("{} opens: {told} told, {lost} lost", raced.times);
    assert_eq!(
        lost > 0,
        raced.is_by_call(),
        "other hooks see the file before it has a descriptor"
    );
    assert_eq!(told + lost, raced.times);
}

/// Where the calls themselves are looked at, what lies there at their end is told as opened: no open goes untold, but some name the wrong file.
#[test]
fn an_open_whose_descriptor_is_replaced_is_told_as_what_lies_there() {
    if !can_load() {
        return;
    }
    let raced = Raced::run("raced_replaces", ".ssh/id_raced").expect("done");
    let told = raced.told(|event| opened(event, "id_raced"));
    // But for the one open that this is.
    let wrong = raced.told(|event| opened(event, "id_other")) - 1;
    let lost = raced.lost("file_open");
    println!(
        "{} opens: {told} told, {wrong} as the other, {lost} lost",
        raced.times
    );
    // Whether a race is won is for the machine to say; what comes of it is not.
    assert!(wrong == 0 || raced.is_by_call());
    assert_eq!(told + wrong + lost, raced.times);
}

#[test]
fn calls_whose_descriptor_is_closed_at_once_are_told_or_counted() {
    if !can_load() {
        return;
    }
    let changes = Raced::run("raced_changes", ".ssh/id_raced").expect("done");
    let told = changes.told(|event| event["change"]["what"] == "mode");
    let lost = changes.lost("credential_change");
    println!("{} changes: {told} told, {lost} lost", changes.times);
    assert!(lost == 0 || changes.is_by_call());
    assert_eq!(told + lost, changes.times);

    let maps = Raced::run("raced_maps", ".ssh/id_raced").expect("done");
    let told = maps.told(|event| event["credential"]["operation"] == "map");
    let lost = maps.lost("file_mapped");
    println!("{} mappings: {told} told, {lost} lost", maps.times);
    assert!(lost == 0 || maps.is_by_call());
    assert_eq!(told + lost, maps.times);

    // These are seen by their exit on every level.
    let lists = Raced::run("raced_lists", ".ssh").expect("done");
    let told = lists.told(|event| event["kind"] == "credential_discovery");
    let lost = lists.lost("directory_list");
    println!("{} listings: {told} told, {lost} lost", lists.times);
    assert_eq!(told + lost, lists.times);

    let takes = Raced::run("raced_takes", SENSOR).expect("done");
    let told = takes.told(|event| event["tamper"]["target"] == "fd");
    let lost = takes.lost("process_secret");
    println!("{} descriptors taken: {told} told, {lost} lost", takes.times);
    assert_eq!(told + lost, takes.times);
}

/// A ring's change of what was opened for it and closed again within one call.
#[test]
fn a_change_by_a_ring_whose_file_is_gone_is_counted() {
    if !can_load() {
        return;
    }
    let Some(raced) = Raced::run("uring_suppressed_fsetxattr_closed", ".ssh/id_raced") else {
        return;
    };
    let told = raced.told(|event| event["change"]["what"] == "attributes");
    let lost = raced.lost("credential_change");
    let expected = if raced.is_by_call() { (0, 1) } else { (1, 0) };
    assert_eq!((told, lost), expected, "{}", raced.hook);
}
