//! A descriptor that another thread closes before the open that returned it has ended.

use claviger_tests::{
    can_load,
    ways::{Did, Programs},
};

use crate::{generator::only_keys, host::Host};

/// Each open is told or counted as lost, where nothing says any more what was opened.
#[test]
fn an_open_whose_descriptor_is_closed_at_once_is_told_or_counted() {
    if !can_load() {
        return;
    }
    let (_catalogue, config) = only_keys();
    let mut host = Host::new(&config);
    host.decoy
        .write(".ssh/id_raced", "-----BEGIN OPENSSH PRIVATE KEY-----\n");
    let place = host.decoy.beside("programs");
    std::fs::create_dir_all(&place).expect("a directory");
    let programs = Programs::put(&place);
    host.sensor.start();
    let path = host.decoy.path(".ssh/id_raced").display().to_string();
    let (did, running) = programs.run("raced_closes", &path, "");
    drop(running);
    let Did::It {
        pid, target: opens, ..
    } = did
    else {
        panic!("{did:?}")
    };
    let last = host.sensor.flush();
    let events = host.arrived(last);
    let told: u64 = events
        .iter()
        .filter(|event| event["actor"]["process"]["pid"] == pid && event["credential"]["path"] == path)
        .filter_map(|event| event["count"].as_u64())
        .sum();
    let lost: u64 = events
        .iter()
        .filter_map(|event| event["gap"]["losses"].as_array())
        .flatten()
        .filter(|loss| loss["stage"] == "file_open" && loss["reason"] == "descriptor_gone")
        .filter_map(|loss| loss["count"].as_u64())
        .sum();
    println!("{opens} opens: {told} told, {lost} lost");
    assert!(opens > 0);
    let status = host.sensor.status();
    let probes = status["probes"].as_array().expect("a list");
    let by_call = probes.iter().any(|probe| {
        probe["probe"] == "file_open"
            && probe["hook"]
                .as_str()
                .is_some_and(|hook| hook.starts_with("tracepoint"))
    });
    assert_eq!(
        lost > 0,
        by_call,
        "other hooks see the file before it has a descriptor"
    );
    assert_eq!(told + lost, u64::try_from(opens).expect("a number"));
}
