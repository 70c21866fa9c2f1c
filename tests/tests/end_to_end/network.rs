//! What processes ask of token endpoints, in network namespaces of their own.

use claviger_tests::{
    can_load, expected_hook,
    ways::{Did, Programs},
};
use serde_json::{Value, json};

use crate::host::Host;

/// What the client shows the endpoint.
const SECRET: &str = "wJalrXUtnFEMIK7MDENGDECOYTOKEN";

/// What is told of who did a way, in order.
fn told(way: &str) -> Vec<Value> {
    told_with("known", way)
}

/// The same, with this as `probes.network`.
fn told_with(setting: &str, way: &str) -> Vec<Value> {
    let (pid, events) = told_to_all(setting, way);
    let by_it = |event: &Value| event["actor"]["process"]["pid"] == pid;
    events.into_iter().filter(by_it).collect()
}

/// All that is told, and who did the way.
fn told_to_all(setting: &str, way: &str) -> (u64, Vec<Value>) {
    let mut host = Host::new(&format!("[probes]\nnetwork = \"{setting}\"\n"));
    let place = host.decoy.beside("programs");
    std::fs::create_dir_all(&place).expect("a directory");
    let programs = Programs::put(&place);
    host.sensor.start();
    let (did, running) = programs.run(way, "", "");
    let pid = match did {
        Did::It { pid, errno: 0, .. } => pid,
        Did::Nothing(why) => {
            eprintln!("not tested: {why}");
            return (0, Vec::new());
        }
        Did::It { .. } => panic!("{did:?}\n{}", host.sensor.log()),
    };
    drop(running);
    let events = host.arrived(host.sensor.flush());
    let text = serde_json::to_string(&events).expect("JSON");
    assert!(!text.contains(SECRET), "a token is in an event");
    assert!(!host.sensor.log().contains(SECRET), "a token is in the log");
    assert_eq!(host.sensor.status()["unbalanced"], json!({}));
    (pid, events)
}

/// What the endpoint was asked, of which version, whether for a token, and what it answered.
fn asked(event: &Value) -> (&str, &str, u64, bool, u64) {
    assert_eq!(event["kind"], "token_endpoint_call", "{event:#}");
    let basis = &event["actor"]["basis"];
    assert!(basis == "socket_opener" || basis == "sender", "{event:#}");
    let endpoint = &event["endpoint"];
    assert_eq!(endpoint["provider"], "aws", "{event:#}");
    (
        endpoint["method"].as_str().expect("a method"),
        endpoint["path_class"].as_str().expect("a path"),
        endpoint["metadata_version"].as_u64().expect("a number"),
        endpoint["for_token"].as_bool().expect("a truth"),
        endpoint["status"].as_u64().expect("a number"),
    )
}

const ROLE: &str = "/latest/meta-data/iam/security-credentials/billing";

#[test]
fn each_request_of_a_kept_connection_is_told() {
    if !can_load() {
        return;
    }
    let events = told("token_call");
    let asked: Vec<_> = events.iter().map(asked).collect();
    assert_eq!(
        asked,
        [
            ("PUT", "/latest/api/token", 2, true, 200),
            ("GET", ROLE, 2, true, 200),
            ("GET", "/latest/meta-data/**", 1, false, 200),
        ]
    );
    assert!(
        events
            .iter()
            .all(|event| event["endpoint"]["address"] == "169.254.169.254")
    );
}

#[test]
fn an_endpoint_is_known_by_all_its_addresses() {
    if !can_load() {
        return;
    }
    for (way, address) in [
        ("token_by_six", "fd00:ec2::254"),
        ("token_by_mapped", "169.254.169.254"),
    ] {
        let events = told(way);
        let asked: Vec<_> = events.iter().map(asked).collect();
        assert_eq!(asked, [("GET", ROLE, 2, true, 200)], "{way}");
        assert_eq!(events[0]["endpoint"]["address"], address, "{way}");
    }
}

#[test]
fn requests_at_once_and_in_pieces_are_told() {
    if !can_load() {
        return;
    }
    let events = told("token_pipelined");
    let asked: Vec<_> = events.iter().map(asked).collect();
    assert_eq!(
        asked,
        [
            ("PUT", "/latest/api/token", 2, true, 200),
            ("GET", ROLE, 2, true, 200),
        ]
    );
}

/// Who was connected to, on what that rests, and what the hello says.
fn said(event: &Value) -> (&str, &str, &str, &str) {
    assert_eq!(event["kind"], "identity_provider_connection", "{event:#}");
    let basis = &event["actor"]["basis"];
    assert!(basis == "socket_opener" || basis == "sender", "{event:#}");
    let endpoint = &event["endpoint"];
    let ja4 = event["tls"]["ja4"].as_str().expect("a fingerprint");
    assert!(ja4.starts_with("t1"), "{event:#}");
    assert_eq!(event["tls"]["incomplete"], false, "{event:#}");
    let text = |value: &'static str| endpoint[value].as_str().expect("a text");
    (
        text("provider"),
        text("name"),
        text("name_basis"),
        event["tls"]["server_name"].as_str().expect("a name"),
    )
}

const STS: &str = "sts.eu-central-1.amazonaws.com";

/// Who sends on a socket of another's is told where a hook sees it; elsewhere who opened it, and that it is that.
#[test]
fn a_request_on_a_socket_of_the_parent_s_is_told_of_who_is_known() {
    if !can_load() {
        return;
    }
    let (pid, mut events) = told_to_all("known", "token_inherited");
    events.retain(|event| event["kind"] == "token_endpoint_call" && event["endpoint"]["status"] == 200);
    if pid == 0 {
        return;
    }
    let [event] = &events[..] else {
        panic!("{events:#?}");
    };
    assert_eq!(event["endpoint"]["path_class"], ROLE, "{event:#}");
    let is_seen = expected_hook().is_some_and(|hook| !hook.starts_with("tracepoint"));
    let who = &event["actor"]["process"]["pid"];
    if is_seen {
        assert_eq!(
            (&event["actor"]["basis"], who),
            (&json!("sender"), &json!(pid)),
            "{event:#}"
        );
    } else {
        assert_eq!(event["actor"]["basis"], "socket_opener", "{event:#}");
        assert_ne!(who, pid, "{event:#}");
    }
}

#[test]
fn a_hello_in_pieces_is_told() {
    if !can_load() {
        return;
    }
    let events = told("tls_in_pieces");
    let said: Vec<_> = events.iter().map(said).collect();
    assert_eq!(said, [("aws", STS, "sni", STS)]);
    assert_eq!(events[0]["tls"]["versions"], json!(["1.2"]));
    assert_eq!(events[0]["endpoint"]["address"], "169.254.169.254");
}

#[test]
fn a_hello_without_a_name_is_named_by_what_a_resolver_answered() {
    if !can_load() {
        return;
    }
    for way in ["tls_named_by_dns", "tls_named_by_dns_unconnected"] {
        let events = told(way);
        let said: Vec<_> = events.iter().map(said).collect();
        assert_eq!(said, [("aws", "sts.amazonaws.com", "dns", "")], "{way}");
    }
}

#[test]
fn what_is_none_of_an_identity_provider_is_told_only_where_all_is() {
    if !can_load() {
        return;
    }
    assert_eq!(told("tls_to_another"), Vec::<Value>::new());
    let events = told_with("all", "tls_to_another");
    let said: Vec<_> = events.iter().map(said).collect();
    assert_eq!(said, [("", "private.example", "sni", "private.example")]);
}
