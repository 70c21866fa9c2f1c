//! A cluster's API and its kubelets, which only the operator knows.

use claviger_tests::{Traced, can_load};
use serde_json::Value;

use crate::network::{Network, of_kind};

/// What the operator writes of them.
const OF_OPERATOR: &str = r#"
[[endpoint]]
id = "api-in-clear"
provider = "kubernetes"
addresses = ["127.0.0.3:8001"]
calls = [
  { path = "/api/v1/namespaces/{namespace}/serviceaccounts/{name}/token", method = "POST" },
  { path = "/**", for_token = false },
]

[[endpoint]]
id = "kubelet-read-only"
provider = "kubernetes"
addresses = ["127.0.0.3:10255"]
calls = [{ path = "/pods", for_token = false }]

[[provider]]
id = "api"
provider = "kubernetes"
names = ["api.cluster.example"]

[[provider]]
id = "kubelet"
provider = "kubernetes"
addresses = ["127.0.0.3:10250"]
"#;

/// Where something was asked, by what, and whether for a token.
fn calls(traced: &Traced) -> Vec<(u64, &str, &str, bool)> {
    let told = of_kind(traced, "token_endpoint_call");
    told.into_iter()
        .map(|event| {
            let place = to_cluster(event);
            assert_eq!(place["status"], 200, "{event:#}");
            (
                place["port"].as_u64().expect("a port"),
                place["method"].as_str().expect("a method"),
                place["path_class"].as_str().expect("a path"),
                place["for_token"] == true,
            )
        })
        .collect()
}

/// Where TLS was begun, and the name that was asked for.
fn connections(traced: &Traced) -> Vec<(u64, &str)> {
    let told = of_kind(traced, "identity_provider_connection");
    told.into_iter()
        .map(|event| {
            let place = to_cluster(event);
            (
                place["port"].as_u64().expect("a port"),
                event["tls"]["server_name"].as_str().expect("a name"),
            )
        })
        .collect()
}

fn to_cluster(event: &Value) -> &Value {
    let place = &event["endpoint"];
    assert_eq!(place["provider"], "kubernetes", "{event:#}");
    assert_eq!(place["address"], "127.0.0.3", "{event:#}");
    place
}

#[test]
fn what_is_asked_of_a_cluster_and_a_kubelet_is_told() {
    if !can_load() {
        return;
    }
    let Some(network) = Network::with(&["kubernetes"]) else {
        return;
    };
    let tables = network.with_catalogue(OF_OPERATOR);
    let python = Network::client("python");
    let script = [
        "token http://127.0.0.3:8001",
        "pods http://127.0.0.3:10255",
        "token https://api.cluster.example:6443",
        "pods https://127.0.0.3:10250",
        // By an address that nobody named, and without a name.
        "token https://127.0.0.3:6443",
    ]
    .map(|asked| format!("{python} -B {} {asked}", Network::of_clients("cluster.py")))
    .join(" && ");
    let traced = network.trace(&tables, &["sh", "-c", &script]);
    let token = "/api/v1/namespaces/payments/serviceaccounts/billing/token";
    assert_eq!(
        calls(&traced),
        [(8001, "POST", token, true), (10255, "GET", "/pods", false)],
        "{}",
        traced.stderr
    );
    assert_eq!(
        connections(&traced),
        [(6443, "api.cluster.example"), (10250, "")],
        "{}",
        traced.stderr
    );
    for secret in ["decoy-shown-token", "decoy-given-token"] {
        assert!(!traced.stdout.contains(secret), "{}", traced.stdout);
    }
}
