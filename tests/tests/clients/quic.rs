//! QUIC beyond one hello in one datagram: a longer one, one with something behind it, and one that is said again.

use claviger_tests::{Traced, can_load};
use serde_json::{Value, json};

use crate::network::{Network, of_kind};

const NAME: &str = "sts.amazonaws.com";

#[test]
fn quic_is_told_once_however_its_hello_comes() {
    if !can_load() {
        return;
    }
    let Some(network) = Network::with(&["quic_of_one_version"]) else {
        return;
    };
    let python = Network::client("python");
    let run =
        |script: &str, arguments: &str| format!("{python} -B {} {arguments}", Network::of_clients(script));
    // So many, and so long as they are told, that the hello takes two datagrams.
    let protocols: [String; 15] = std::array::from_fn(|number| format!("decoy-{number:058}"));
    let script = [
        run(
            "quic_ping.py",
            &format!("{NAME} VERSION_1 h3,{}", protocols.join(",")),
        ),
        // The server has not the first of these, says so, and is asked again.
        run("quic_ping.py", &format!("{NAME} VERSION_2,VERSION_1 h3")),
        run("quic_early.py", NAME),
    ]
    .join(" && ");
    let traced = network.trace("", &["sh", "-c", &script]);
    let many = json!([&["h3".to_owned()], &protocols[..]].concat());
    let one = json!(["h3"]);
    let wanted = [
        (many, false, 1),
        // By two versions of QUIC, in one and the same connection.
        (one.clone(), false, 2),
        (one.clone(), false, 1),
        (one, true, 1),
    ];
    let told = said(&traced);
    assert_eq!(told.len(), wanted.len(), "{told:#?}\n{}", traced.stderr);
    for ((alpn, resumption, count), (protocols, resumed, times)) in told.into_iter().zip(wanted) {
        assert_eq!((alpn, resumption), (protocols, resumed));
        // Also of a client that is slow to be answered, and says it again.
        assert_eq!(count, times);
    }
}

/// What each client offered, whether it went on with an earlier session, and how often it said so: what is repeated is told once more, later, with how often.
fn said(traced: &Traced) -> Vec<(Value, bool, u64)> {
    let mut all: Vec<(&Value, &Value, u64)> = Vec::new();
    for event in of_kind(traced, "identity_provider_connection") {
        let endpoint = &event["endpoint"];
        assert_eq!(endpoint["provider"], "aws", "{event:#}");
        assert_eq!(endpoint["name"], NAME, "{event:#}");
        assert_eq!(endpoint["name_basis"], "quic_sni", "{event:#}");
        assert_eq!(endpoint["transport"], 17, "{event:#}");
        let tls = &event["tls"];
        assert_eq!(tls["server_name"], NAME, "{event:#}");
        assert_eq!(tls["versions"], json!(["1.3"]), "{event:#}");
        assert_eq!(tls["incomplete"], false, "{event:#}");
        let ja4 = tls["ja4"].as_str().expect("a fingerprint");
        assert!(ja4.starts_with("q13d"), "{event:#}");
        let pid = &event["actor"]["process"]["pid"];
        let count = event["count"].as_u64().expect("a number");
        match all.iter_mut().find(|known| (known.0, known.1) == (pid, tls)) {
            Some(known) => known.2 += count,
            None => all.push((pid, tls, count)),
        }
    }
    let in_short =
        |(_, tls, count): (&Value, &Value, u64)| (tls["alpn"].clone(), tls["resumption"] == true, count);
    all.into_iter().map(in_short).collect()
}

/// As Chrome's QUIC, ngtcp2 and Quinn hand over what takes several datagrams.
#[test]
fn datagrams_that_the_kernel_cuts_are_told() {
    if !can_load() {
        return;
    }
    let Some(network) = Network::with(&["quic"]) else {
        return;
    };
    let python = Network::client("python");
    let [hello, send, browser] = ["quic_hello.py", "quic_send.py", "browser.py"]
        .map(|script| format!("{python} -B {}", Network::of_clients(script)));
    // More of them than are told, so that both datagrams are full.
    let protocols: [String; 25] = std::array::from_fn(|number| format!("decoy-{number:058}"));
    let hello = format!("{hello} {NAME} VERSION_1 h3,{}", protocols.join(","));
    let script = [
        format!("{hello} | {send} {NAME} apart"),
        format!("{hello} | {send} {NAME} at_once"),
        format!("{browser} chrome131 quic {NAME}"),
    ]
    .join(" && ");
    let traced = network.trace("", &["sh", "-c", &script]);
    let told = said(&traced);
    let first: Vec<_> = told.iter().map(|(alpn, ..)| alpn[0].clone()).collect();
    assert_eq!(first, ["h3", "h3", "h3"], "{}", traced.stderr);
    let lengths: Vec<_> = told
        .iter()
        .map(|(alpn, ..)| alpn.as_array().map_or(0, Vec::len))
        .collect();
    assert_eq!(lengths, [16, 16, 1], "{}", traced.stderr);
}
