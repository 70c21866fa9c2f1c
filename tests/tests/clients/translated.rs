//! Addresses that a packet filter rewrites (DNAT) behind whoever asks.

use claviger_tests::can_load;

use crate::network::{Network, of_kind};

#[test]
fn what_a_packet_filter_rewrites_is_told_as_what_was_asked_for() {
    if !can_load() {
        return;
    }
    let Some(network) = Network::with(&["translated"]) else {
        return;
    };
    let script = [
        // An endpoint's, which goes elsewhere.
        "http://169.254.169.254/latest/meta-data/iam/security-credentials/",
        // No endpoint's, which goes to one.
        "http://192.0.2.1/v2/credentials/decoy",
        // No endpoint's, and none behind it.
        "http://127.0.0.1:8080/latest/meta-data/",
    ]
    .map(|url| format!("curl -s -f -o /dev/null {url}"))
    .join(" && ");
    let traced = network.trace("", &["sh", "-c", &script]);
    let told: Vec<_> = of_kind(&traced, "token_endpoint_call")
        .into_iter()
        .map(|event| {
            let place = &event["endpoint"];
            assert_eq!(place["provider"], "aws", "{event:#}");
            assert_eq!(place["port"], 80, "{event:#}");
            assert_eq!(place["status"], 200, "{event:#}");
            ["address", "translated_address", "path_class"].map(|field| place[field].clone())
        })
        .collect();
    assert_eq!(
        told,
        [
            [
                "169.254.169.254",
                "127.0.0.1:8080",
                "/latest/meta-data/iam/security-credentials/"
            ],
            ["192.0.2.1", "169.254.170.2:80", "/v2/credentials/*"],
        ],
        "{}\n{}",
        traced.stdout,
        traced.stderr
    );
}
