//! What processes ask of token endpoints, in network namespaces of their own.

use claviger_tests::{
    can_load, expected_hook,
    ways::{Did, Programs},
};
use serde_json::{Value, json};

use crate::host::Host;

/// What the client shows the endpoint.
const SECRET: &str = "wJalrXUtnFEMIK7MDENGDECOYTOKEN";

/// A host whose connections are watched, and programs that make some. One for many ways: in an emulated machine a sensor takes half a minute to start.
struct Net {
    host: Host,
    programs: Programs,
    /// Events that were looked at.
    seen: usize,
}

impl Net {
    /// With this as `probes.network`.
    fn watched(setting: &str) -> Self {
        Self::configured(&format!("[probes]\nnetwork = \"{setting}\"\n"))
    }

    /// With these lines of configuration.
    fn configured(lines: &str) -> Self {
        let mut host = Host::new(lines);
        let place = host.decoy.beside("programs");
        std::fs::create_dir_all(&place).expect("a directory");
        let programs = Programs::put(&place);
        host.sensor.start();
        Self {
            host,
            programs,
            seen: 0,
        }
    }

    /// All that is told while a way is done, and who did it; nobody where this machine cannot.
    fn told_to_all(&mut self, way: &str) -> (u64, Vec<Value>) {
        let (did, running) = self.programs.run(way, "", "");
        let pid = match did {
            Did::It { pid, errno: 0, .. } => pid,
            Did::Nothing(why) => {
                eprintln!("{way} is not tested: {why}");
                return (0, Vec::new());
            }
            Did::It { .. } => panic!("{way}: {did:?}\n{}", self.host.sensor.log()),
        };
        drop(running);
        let mut events = self.host.arrived(self.host.sensor.flush());
        let all = events.len();
        events.drain(..self.seen);
        self.seen = all;
        let text = serde_json::to_string(&events).expect("JSON");
        assert!(!text.contains(SECRET), "{way}: a token is in an event");
        assert!(
            !self.host.sensor.log().contains(SECRET),
            "{way}: a token is in the log"
        );
        assert_eq!(self.host.sensor.status()["unbalanced"], json!({}), "{way}");
        (pid, events)
    }

    /// What is told of who did a way, in order; nothing where this machine cannot do it.
    fn told(&mut self, way: &str) -> Option<Vec<Value>> {
        let (pid, events) = self.told_to_all(way);
        let by_it = |event: &Value| event["actor"]["process"]["pid"] == pid;
        (pid != 0).then(|| events.into_iter().filter(by_it).collect())
    }

    /// What a way is told to have asked of the endpoint.
    fn is_told(&mut self, way: &str, wanted: &[(&str, &str, u64, bool, u64)]) -> Vec<Value> {
        let Some(events) = self.told(way) else {
            return Vec::new();
        };
        let asked: Vec<_> = events.iter().map(asked).collect();
        assert_eq!(asked, wanted, "{way}");
        events
    }
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

const OF_ROLE: (&str, &str, u64, bool, u64) = ("GET", ROLE, 2, true, 200);

#[test]
fn what_is_asked_of_an_endpoint_is_told_whatever_way() {
    if !can_load() {
        return;
    }
    let mut net = Net::watched("known");
    let of_token = ("PUT", "/latest/api/token", 2, true, 200);
    for event in net.is_told(
        "token_call",
        &[of_token, OF_ROLE, ("GET", "/latest/meta-data/**", 1, false, 200)],
    ) {
        assert_eq!(event["endpoint"]["address"], "169.254.169.254");
    }
    // Two at once, and each byte by itself.
    net.is_told("token_pipelined", &[of_token, OF_ROLE]);
    for (way, address, goes_to) in [
        ("token_by_six", "fd00:ec2::254", ""),
        ("token_by_mapped", "169.254.169.254", ""),
        ("token_by_ring", "169.254.169.254", ""),
        ("token_by_ring_worker", "169.254.169.254", ""),
        ("token_by_ring_polled", "169.254.169.254", ""),
        // Another program has it go elsewhere, before the sensor's sees it, and after.
        ("token_rewritten_before", "169.254.169.254", "127.0.0.1:8080"),
        ("token_rewritten_after", "169.254.169.254", "127.0.0.1:8080"),
    ] {
        for event in net.is_told(way, &[OF_ROLE]) {
            let endpoint = &event["endpoint"];
            assert_eq!(endpoint["address"], address, "{way}");
            assert_eq!(endpoint["translated_address"], goes_to, "{way}");
        }
    }
    of_who_sends(&mut net);
}

/// Who sends on a socket of another's is told where a hook sees it; elsewhere who opened it, and that it is that.
fn of_who_sends(net: &mut Net) {
    for way in ["token_inherited", "token_passed"] {
        is_told_of_who_sends(net, way);
    }
}

fn is_told_of_who_sends(net: &mut Net, way: &str) {
    let (pid, mut events) = net.told_to_all(way);
    events.retain(|event| event["kind"] == "token_endpoint_call" && event["endpoint"]["status"] == 200);
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

#[test]
fn connections_to_identity_providers_are_told() {
    if !can_load() {
        return;
    }
    let mut net = Net::watched("known");
    for (way, wanted) in [
        ("tls_in_pieces", ("aws", STS, "sni", STS)),
        // Without a name, named by what a resolver answered.
        ("tls_named_by_dns", ("aws", "sts.amazonaws.com", "dns", "")),
        (
            "tls_named_by_dns_unconnected",
            ("aws", "sts.amazonaws.com", "dns", ""),
        ),
    ] {
        let events = net.told(way).unwrap_or_else(|| panic!("{way} can be done"));
        let said: Vec<_> = events.iter().map(said).collect();
        assert_eq!(said, [wanted], "{way}");
        assert_eq!(events[0]["tls"]["versions"], json!(["1.2"]), "{way}");
        assert_eq!(events[0]["endpoint"]["address"], "169.254.169.254", "{way}");
    }
    assert_eq!(net.told("tls_to_another"), Some(Vec::new()));
}

#[test]
fn what_is_none_of_an_identity_provider_is_told_where_all_is() {
    if !can_load() {
        return;
    }
    let events = Net::watched("all")
        .told("tls_to_another")
        .expect("it can be done");
    let said: Vec<_> = events.iter().map(said).collect();
    assert_eq!(said, [("", "private.example", "sni", "private.example")]);
}

/// What only an operator knows: where his Vault is, and his provider of tokens.
const OF_OPERATOR: &str = r#"
version = 1

[[endpoint]]
id = "own-vault"
provider = "vault"
addresses = ["169.254.169.254:8200"]
calls = [
  { path = "/v1/auth/{mount}/login", method = "POST" },
  { path = "/**", for_token = false },
]

[[provider]]
id = "own-provider"
provider = "vault"
addresses = ["169.254.169.254:8201"]
"#;

#[test]
fn what_the_operator_names_is_told() {
    if !can_load() {
        return;
    }
    let catalogue = tempfile::tempdir().expect("a directory");
    std::fs::write(catalogue.path().join("vault.toml"), OF_OPERATOR).expect("written");
    let config = format!(
        "directory = {:?}\n[probes]\nnetwork = \"known\"\n",
        catalogue.path()
    );
    let mut net = Net::configured(&config);
    let events = net.told("vault_login").expect("it can be done");
    let [event] = &events[..] else {
        panic!("{events:#?}");
    };
    let endpoint = &event["endpoint"];
    let told = ["provider", "method", "path_class", "name"].map(|field| endpoint[field].clone());
    assert_eq!(
        told,
        ["vault", "POST", "/v1/auth/kubernetes/login", "vault.example"],
        "{event:#}"
    );
    assert_eq!(endpoint["for_token"], true, "{event:#}");
    let events = net.told("tls_to_vault").expect("it can be done");
    let said: Vec<_> = events.iter().map(said).collect();
    assert_eq!(said, [("vault", "vault.example", "sni", "vault.example")]);
}
