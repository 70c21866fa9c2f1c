//! TLS and QUIC of clients that are in use.

use claviger_tests::{Traced, can_load};
use serde_json::{Value, json};

use crate::network::{Network, of_kind};

const NAME: &str = "sts.amazonaws.com";

fn hello(traced: &Traced) -> &Value {
    let connections = of_kind(traced, "identity_provider_connection");
    let [event] = &connections[..] else {
        panic!("{connections:#?}\n{}", traced.stderr);
    };
    assert_eq!(event["endpoint"]["name"], NAME, "{event:#}");
    assert_eq!(event["endpoint"]["provider"], "aws", "{event:#}");
    &event["tls"]
}

#[test]
fn openssl_and_curl_are_told_in_all_versions_of_tls() {
    if !can_load() {
        return;
    }
    let Some(network) = Network::with(&["nginx"]) else {
        return;
    };
    let by_openssl = [
        ("-tls1", "1.0", "t10d"),
        ("-tls1_1", "1.1", "t11d"),
        ("-tls1_2", "1.2", "t12d"),
        ("-tls1_3", "1.3", "t13d"),
    ];
    let by_curl = [("--tls-max 1.2", "1.2", "t12d"), ("--tlsv1.3", "1.3", "t13d")];
    // One after the other under one sensor: to start it takes longer than all of them.
    let openssl = by_openssl.map(|(option, ..)| {
        format!(
            "echo | openssl s_client -connect 127.0.0.2:443 -servername {NAME} {option} -cipher ALL:@SECLEVEL=0 -CAfile $SSL_CERT_FILE > /dev/null 2>&1"
        )
    });
    let curl = by_curl.map(|(option, ..)| format!("curl -s -o /dev/null {option} https://{NAME}/"));
    let script = [&openssl[..], &curl].concat().join("; ");
    let traced = network.trace("", &["sh", "-c", &script]);
    let connections = of_kind(&traced, "identity_provider_connection");
    let wanted = by_openssl.into_iter().chain(by_curl);
    assert_eq!(connections.len(), 6, "{connections:#?}\n{}", traced.stderr);
    for (event, (option, version, ja4)) in connections.into_iter().zip(wanted) {
        assert_eq!(event["endpoint"]["name"], NAME, "{option}: {event:#}");
        assert_eq!(event["endpoint"]["provider"], "aws", "{option}: {event:#}");
        let tls = &event["tls"];
        assert_eq!(tls["versions"], json!([version]), "{option}: {tls:#}");
        assert_eq!(tls["incomplete"], false, "{option}: {tls:#}");
        let seen = tls["ja4"].as_str().expect("a fingerprint");
        assert!(seen.starts_with(ja4), "{option}: {tls:#}");
    }
}

#[test]
fn a_session_that_is_taken_up_again_is_told_so() {
    if !can_load() {
        return;
    }
    let Some(network) = Network::with(&["nginx"]) else {
        return;
    };
    let ask = |session: &str, version: &str| {
        format!(
            "(sleep 0.5) | openssl s_client -connect 127.0.0.2:443 -servername {NAME} {version} {session} {} > /dev/null 2>&1",
            "-CAfile $SSL_CERT_FILE"
        )
    };
    for version in ["-tls1_2", "-tls1_3"] {
        let kept = network.path("session");
        let script = format!(
            "{}; {}",
            ask(&format!("-sess_out {kept}"), version),
            ask(&format!("-sess_in {kept}"), version)
        );
        let traced = network.trace("", &["sh", "-c", &script]);
        let told: Vec<_> = of_kind(&traced, "identity_provider_connection")
            .into_iter()
            .map(|event| event["tls"]["resumption"].clone())
            .collect();
        assert_eq!(told, [json!(false), json!(true)], "{version} {}", traced.stdout);
    }
}

#[test]
fn quic_is_told_in_both_versions() {
    if !can_load() {
        return;
    }
    told_of("quic", &["VERSION_1", "VERSION_2"]);
}

/// A client that is sent back begins once more, with keys of a connection id that the server has made up: what it says is told once, and counted.
#[test]
fn behind_a_retry_quic_is_told() {
    if !can_load() {
        return;
    }
    told_of("quic_retry", &["VERSION_1"]);
}

/// What is told of a client in these versions, at this server.
fn told_of(server: &str, versions: &[&str]) {
    let Some(network) = Network::with(&[server]) else {
        return;
    };
    for version in versions {
        let mut traced = network.script("quic_ping.py", &[NAME, version]);
        traced.events.dedup_by(|later, earlier| {
            later["kind"] == earlier["kind"]
                && later["endpoint"] == earlier["endpoint"]
                && later["tls"] == earlier["tls"]
        });
        let tls = hello(&traced);
        assert_eq!(tls["server_name"], NAME, "{tls:#}");
        assert_eq!(tls["alpn"], json!(["h3"]), "{tls:#}");
        assert!(
            tls["ja4"].as_str().is_some_and(|seen| seen.starts_with("q13d")),
            "{tls:#}"
        );
        let event = of_kind(&traced, "identity_provider_connection")[0];
        assert_eq!(event["endpoint"]["name_basis"], "quic_sni", "{event:#}");
        assert_eq!(event["endpoint"]["transport"], 17, "{event:#}");
    }
}
