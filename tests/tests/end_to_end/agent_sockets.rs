//! Sockets of programs that hold keys.

use claviger_tests::{
    can_load,
    ways::{Did, Programs},
};
use serde_json::{Value, json};

use crate::host::Host;

/// What was told of who did a way to this socket, and which process listened there.
fn told(host: &mut Host, way: &str, socket: &str) -> (Vec<Value>, Value) {
    let place = host.decoy.beside("programs");
    std::fs::create_dir_all(&place).expect("a directory");
    let programs = Programs::put(&place);
    let (did, running) = programs.run(way, socket, "");
    let Did::It { pid, target, errno } = did else {
        panic!("{did:?}\n{}", host.sensor.log());
    };
    assert_eq!(errno != 0, way.starts_with("denied_"), "{did:?}");
    let events = host.arrived(host.sensor.flush());
    drop(running);
    assert_eq!(host.sensor.status()["unbalanced"], json!({}));
    let by_it = events
        .into_iter()
        .filter(|event| event["kind"] == "agent_socket_connect" && event["actor"]["process"]["pid"] == pid);
    (by_it.collect(), target.into())
}

fn host() -> Host {
    let mut host = Host::new("");
    host.sensor.start();
    host
}

#[test]
fn who_connects_to_an_agent_is_told_with_who_answers() {
    if !can_load() {
        return;
    }
    let mut host = host();
    let directory = host.decoy.path(".gnupg");
    std::fs::create_dir_all(&directory).expect("a directory");
    let socket = directory
        .join("S.gpg-agent.ssh")
        .to_str()
        .expect("plain")
        .to_owned();
    for way in [
        "agent_socket",
        "agent_socket_relative",
        "agent_socket_forked",
        "agent_socket_of_another_user",
    ] {
        let (events, listens) = told(&mut host, way, &socket);
        let [event] = &events[..] else {
            panic!(
                "{way}: {events:#?}\n{:#}\n{}",
                host.sensor.status(),
                host.sensor.log()
            );
        };
        let told = &event["agent_socket"];
        assert_eq!(told["kind"], "ssh_agent", "{event:#}");
        assert_eq!(told["path"], socket, "{event:#}");
        assert_eq!(told["peer"]["pid"], listens, "{way}: {event:#}");
        assert_eq!(
            told["of_another_user"],
            way == "agent_socket_of_another_user",
            "{way}: {event:#}"
        );
        assert_eq!(told["peer_workload"]["id"], event["workload"]["id"], "{event:#}");
        assert_eq!(event["outcome"], "succeeded", "{event:#}");
        std::fs::remove_file(&socket).expect("removed");
    }
}

#[test]
fn repeats_are_counted_and_refusals_told() {
    if !can_load() {
        return;
    }
    let mut host = host();
    let directory = host.decoy.path(".gnupg");
    std::fs::create_dir_all(&directory).expect("a directory");
    let socket = directory.join("S.gpg-agent").to_str().expect("plain").to_owned();
    let (events, _) = told(&mut host, "agent_socket_again", &socket);
    let counts: u64 = events.iter().filter_map(|event| event["count"].as_u64()).sum();
    assert_eq!(counts, 10, "{events:#?}\n{}", host.sensor.log());
    assert!(events.len() <= 2, "{events:#?}");
    std::fs::remove_file(&socket).expect("removed");

    let (events, _) = told(&mut host, "denied_agent_socket", &socket);
    let [event] = &events[..] else {
        panic!("{events:#?}");
    };
    assert_eq!(event["outcome"], "denied", "{event:#}");
    assert_eq!(event["agent_socket"]["path"], socket, "{event:#}");
    assert_eq!(
        event["agent_socket"]["unknown_reason"], "the connection was refused",
        "{event:#}"
    );
}

/// An agent that only an operator knows, by a name that is in no file system.
const OF_OPERATOR: &str = r#"
version = 1

[[socket]]
id = "own-agent"
kind = "ssh_agent"
abstract_names = ["@claviger-own-agent"]
"#;

#[test]
fn an_agent_without_a_file_is_told_by_its_name() {
    if !can_load() {
        return;
    }
    let catalogue = tempfile::tempdir().expect("a directory");
    std::fs::write(catalogue.path().join("agent.toml"), OF_OPERATOR).expect("written");
    let mut host = Host::new(&format!("directory = {:?}\n", catalogue.path()));
    host.sensor.start();
    let name = "@claviger-own-agent";
    let (events, listens) = told(&mut host, "agent_socket", name);
    let [event] = &events[..] else {
        panic!("{events:#?}\n{}", host.sensor.log());
    };
    let agent = &event["agent_socket"];
    assert_eq!(agent["path"], name, "{event:#}");
    assert_eq!(agent["kind"], "ssh_agent", "{event:#}");
    assert_eq!(agent["peer"]["pid"], listens, "{event:#}");
    assert_eq!(event["outcome"], "succeeded", "{event:#}");
    let (events, _) = told(&mut host, "agent_socket", "@claviger-own-agent-of-others");
    assert_eq!(events, Vec::<Value>::new());
}

#[test]
fn a_socket_of_no_agent_is_not_told() {
    if !can_load() {
        return;
    }
    let mut host = host();
    let socket = host.decoy.beside("other.sock");
    let (events, _) = told(&mut host, "agent_socket", socket.to_str().expect("plain"));
    assert_eq!(events, Vec::<Value>::new());
}
