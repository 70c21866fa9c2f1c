//! Hellos of browsers: with a post-quantum key share, so longer than a segment, with GREASE, shuffled, and with another hello encrypted within.

use std::fs;

use claviger_tests::can_load;
use serde_json::json;

use crate::network::{Network, of_kind};

/// The name in clear.
const OUTER: &str = "sts.amazonaws.com";
/// The name that is in what is encrypted alone.
const INNER: &str = "hidden.example";
/// As FoxIO publishes it of Chrome.
const CHROME: &str = "t13d1516h2_8daaf6152771_02713d6af862";

#[test]
fn chrome_is_told_by_its_published_fingerprint_and_by_the_outer_name() {
    if !can_load() {
        return;
    }
    let Some(network) = Network::with(&["nginx"]) else {
        return;
    };
    let ask = |names: &str| {
        format!(
            "{} -B {} chrome131 tcp {names}",
            Network::client("python"),
            Network::of_clients("browser.py")
        )
    };
    let script = [ask(OUTER), ask(&format!("{INNER} {OUTER}"))].join(" && ");
    let traced = network.trace("", &["sh", "-c", &script]);
    let connections = of_kind(&traced, "identity_provider_connection");
    assert_eq!(connections.len(), 2, "{connections:#?}\n{}", traced.stderr);
    for event in connections {
        assert_eq!(event["endpoint"]["name"], OUTER, "{event:#}");
        assert_eq!(event["endpoint"]["name_basis"], "sni", "{event:#}");
        let tls = &event["tls"];
        assert_eq!(tls["server_name"], OUTER, "{tls:#}");
        assert_eq!(tls["alpn"], json!(["h2", "http/1.1"]), "{tls:#}");
        assert_eq!(tls["versions"], json!(["1.3", "1.2"]), "{tls:#}");
        assert_eq!(tls["ja4"], CHROME, "{tls:#}");
        assert_eq!(tls["encrypted_client_hello"], true, "{tls:#}");
        assert_eq!(tls["incomplete"], false, "{tls:#}");
    }
    assert!(!traced.stdout.contains(INNER), "{}", traced.stdout);
    // Only who had truly encrypted a hello takes offence at a server that cannot read it (ech_required, RFC 9849).
    let servers = fs::read_to_string(network.path("servers.log")).expect("a log");
    assert!(servers.contains("SSL alert number 121"), "{servers}");
}
