//! OpenSSH on both ends, alone and for git, with a key in a file and in an agent.

use std::fs;

use claviger_tests::can_load;

use crate::{
    keys::{self, KeyAgent},
    network::Network,
    tools::{assert_key, push},
};

#[test]
fn openssh_is_told_with_the_key_in_a_file_and_git_with_who_answered_for_it() {
    if !can_load() {
        return;
    }
    let Some(network) = Network::with(&["openssh"]) else {
        return;
    };
    let fingerprint = keys::make(&network);
    let traced = network.trace("", &["ssh", "-T", "git@git.example", "true"]);
    assert_key(&traced, &fingerprint);

    let agent = KeyAgent::with_the_key(&network);
    let socket = agent.socket.display().to_string();
    let variable = format!("SSH_AUTH_SOCK={socket}");
    let push = push(&network);
    let command: Vec<_> = [&variable].into_iter().chain(&push).map(String::as_str).collect();
    let traced = network.trace("", &command);
    let event = traced.only();
    assert_eq!(event["kind"], "agent_socket_connect", "{event:#}");
    assert_eq!(event["agent_socket"]["path"], socket, "{event:#}");
    assert_eq!(event["agent_socket"]["peer"]["pid"], agent.pid(), "{event:#}");
    assert_eq!(event["actor"]["process"]["comm"], "ssh", "{event:#}");
    assert_eq!(event["actor"]["ancestors"][0]["comm"], "git", "{event:#}");
    assert!(
        fs::exists(network.path("repository.git/refs/heads/main")).expect("a directory"),
        "it was pushed: {}",
        traced.stderr
    );
    let servers = fs::read_to_string(network.path("servers.log")).expect("a log");
    let let_in = format!("ssh2: ED25519 {fingerprint}");
    assert_eq!(servers.matches(&let_in).count(), 2, "{servers}");
}
