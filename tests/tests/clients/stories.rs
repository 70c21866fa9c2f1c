//! Which identity was used with what.

use std::{process::Command, time::Duration};

use claviger_tests::{Traced, can_load};
use serde_json::{Value, json};

use crate::network::{Network, behind, of_kind};

/// What token endpoints were asked.
fn asked(traced: &Traced) -> Vec<(String, String, bool)> {
    of_kind(traced, "token_endpoint_call")
        .into_iter()
        .map(|event| {
            let place = &event["endpoint"];
            let text = |name: &str| place[name].as_str().unwrap_or_default().to_owned();
            (text("provider"), text("path_class"), place["for_token"] == true)
        })
        .collect()
}

/// The only connection to an identity provider: whose it is, by which name.
fn connection(traced: &Traced) -> &Value {
    let connections = of_kind(traced, "identity_provider_connection");
    let [event] = &connections[..] else {
        panic!("{connections:#?}\n{}", traced.stderr);
    };
    event
}

fn to(event: &Value) -> (&str, &str) {
    let text = |name: &'static str| event["endpoint"][name].as_str().unwrap_or_default();
    (text("provider"), text("name"))
}

#[test]
fn boto3_with_a_file_is_told_with_the_key_that_it_read() {
    if !can_load() {
        return;
    }
    let Some(network) = Network::with(&["aws"]) else {
        return;
    };
    let traced = network.script("whoami.py", &[]);
    let event = connection(&traced);
    assert_eq!(to(event), ("aws", "sts.eu-central-1.amazonaws.com"), "{event:#}");
    assert_eq!(event["endpoint"]["name_basis"], "sni", "{event:#}");
    assert_eq!(
        event["tls"]["server_name"], "sts.eu-central-1.amazonaws.com",
        "{event:#}"
    );
    let (read, relation) = &behind(&traced, event)[0];
    assert_eq!(relation, "same_process", "{event:#}");
    assert_eq!(
        read["credential"]["identities"][0]["id"], "AKIAIOSFODNN7EXAMPLE",
        "{read:#}"
    );
    assert_eq!(asked(&traced), []);
}

#[test]
fn boto3_with_an_instance_role_is_told_with_the_token_that_it_asked_for() {
    if !can_load() {
        return;
    }
    let Some(network) = Network::with(&["aws"]) else {
        return;
    };
    std::fs::remove_file(network.decoy.path(".aws/credentials")).expect("a decoy");
    let traced = network.script("whoami.py", &[]);
    let role = "/latest/meta-data/iam/security-credentials/";
    assert_eq!(
        asked(&traced),
        [
            ("aws".into(), "/latest/api/token".into(), true),
            ("aws".into(), role.into(), false),
            ("aws".into(), format!("{role}default-role"), true),
        ],
        "{}",
        traced.stdout
    );
    for call in of_kind(&traced, "token_endpoint_call") {
        assert_eq!(call["endpoint"]["metadata_version"], 2, "{call:#}");
        assert_eq!(call["endpoint"]["status"], 200, "{call:#}");
    }
    let causes = behind(&traced, connection(&traced));
    let of_role = format!("{role}default-role");
    assert!(
        causes.iter().any(|(cause, relation)| cause["endpoint"]["path_class"] == of_role && relation == "same_process"),
        "{causes:#?}"
    );
}

#[test]
fn boto3_that_asks_for_a_secret_is_told_with_what_it_showed() {
    if !can_load() {
        return;
    }
    let Some(network) = Network::with(&["aws"]) else {
        return;
    };
    let ask = |name: &str| {
        let python = Network::client("python");
        format!("{python} -B {} {name}", Network::of_clients("secret.py"))
    };
    // By the key in a file, and without it by the instance's role.
    let script = format!(
        "{} && rm $HOME/.aws/credentials && {}",
        ask("first"),
        ask("second")
    );
    let traced = network.trace("", &["sh", "-c", &script]);
    let mut connections = of_kind(&traced, "identity_provider_connection");
    for event in &connections {
        let name = "secretsmanager.eu-central-1.amazonaws.com";
        assert_eq!(to(event), ("aws", name), "{event:#}");
        assert_eq!(event["endpoint"]["name_basis"], "sni", "{event:#}");
        assert_eq!(event["tls"]["server_name"], name, "{event:#}");
    }
    // It is connected to for each request.
    let mut known = Vec::new();
    connections.retain(|event| {
        let pid = &event["actor"]["process"]["pid"];
        let is_new = !known.contains(&pid);
        known.push(pid);
        is_new
    });
    let [by_file, by_role] = &connections[..] else {
        panic!("{}", traced.stdout);
    };
    let by_itself = |event: &Value| {
        let mut causes = behind(&traced, event);
        causes.retain(|(_, relation)| relation == "same_process");
        causes.into_iter().map(|(cause, _)| cause).collect::<Vec<_>>()
    };
    let [read] = by_itself(by_file)[..] else {
        panic!("{by_file:#}");
    };
    assert_eq!(
        read["credential"]["identities"][0]["id"], "AKIAIOSFODNN7EXAMPLE",
        "{read:#}"
    );
    let calls = by_itself(by_role);
    let of_role = "/latest/meta-data/iam/security-credentials/default-role";
    assert!(
        calls.iter().any(|call| call["endpoint"]["path_class"] == of_role),
        "{calls:#?}"
    );
    assert!(
        calls.iter().all(|call| call["kind"] == "token_endpoint_call"),
        "{calls:#?}"
    );
    assert!(!traced.stdout.contains("decoy-secret"), "{}", traced.stdout);
}

#[test]
fn google_auth_is_told_by_its_metadata_service_and_by_its_key() {
    if !can_load() {
        return;
    }
    let Some(network) = Network::with(&["google"]) else {
        return;
    };
    let traced = network.script("google_token.py", &[]);
    let calls = asked(&traced);
    let token = "/computeMetadata/v1/instance/service-accounts/default/token?scopes=a";
    assert!(calls.contains(&("gcp".into(), token.into(), true)), "{calls:#?}");
    assert!(calls.iter().all(|(provider, ..)| provider == "gcp"), "{calls:#?}");

    let made = Command::new("openssl")
        .args(["genrsa", "2048"])
        .output()
        .expect("openssl");
    let key = String::from_utf8(made.stdout).expect("PEM");
    let below = ".config/gcloud/application_default_credentials.json";
    let account = json!({
        "type": "service_account",
        "project_id": "decoy",
        "private_key_id": "0123456789abcdef0123456789abcdef01234567",
        "private_key": key,
        "client_email": "web@decoy.iam.gserviceaccount.com",
        "token_uri": "https://oauth2.googleapis.com/token",
    });
    network.decoy.write(below, &account.to_string());
    let path = network.decoy.path(below).display().to_string();
    let traced = network.script("google_token.py", &[&path]);
    let event = connection(&traced);
    assert_eq!(to(event), ("gcp", "oauth2.googleapis.com"), "{event:#}");
    let (read, relation) = &behind(&traced, event)[0];
    assert_eq!(relation, "same_process");
    assert_eq!(read["credential"]["path"], path, "{read:#}");
}

#[test]
fn azure_identity_is_told_by_its_metadata_service_and_by_its_tenant() {
    if !can_load() {
        return;
    }
    let Some(network) = Network::with(&["azure"]) else {
        return;
    };
    let traced = network.script("azure_token.py", &["managed"]);
    let token = "/metadata/identity/oauth2/token?resource=https://vault.azure.net";
    let calls = asked(&traced);
    assert!(
        calls.contains(&("azure".into(), token.into(), true)),
        "{calls:#?}"
    );

    let traced = network.script("azure_token.py", &["secret"]);
    for event in of_kind(&traced, "identity_provider_connection") {
        assert_eq!(to(event), ("azure", "login.microsoftonline.com"), "{event:#}");
    }
}

#[test]
fn a_kubernetes_client_is_told_by_the_address_that_the_operator_names() {
    if !can_load() {
        return;
    }
    let Some(network) = Network::with(&["kubernetes"]) else {
        return;
    };
    network.decoy.write(
        ".kube/config",
        &format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: c\ncontexts: [{{name: c, context: {{cluster: k, user: u}}}}]\n\
             clusters: [{{name: k, cluster: {{server: 'https://127.0.0.3:6443', certificate-authority: {}}}}}]\n\
             users: [{{name: u, user: {{token: decoy-token}}}}]\n",
            network.path("ca.crt")
        ),
    );
    let tables = network.with_provider("addresses = [\"127.0.0.3:6443\"]");
    let kubeconfig = format!("KUBECONFIG={}", network.decoy.path(".kube/config").display());
    let traced = network.script_with(&tables, &[&kubeconfig], "pods.py", &[]);
    let event = connection(&traced);
    assert_eq!(event["endpoint"]["provider"], "kubernetes", "{event:#}");
    assert_eq!(event["endpoint"]["address"], "127.0.0.3", "{event:#}");
    assert_eq!(event["tls"]["server_name"], "", "{event:#}");
    let (read, _) = &behind(&traced, event)[0];
    assert_eq!(read["credential"]["kind"], "kubeconfig", "{read:#}");
}

#[test]
fn what_is_asked_on_a_connection_that_was_there_before_is_told() {
    if !can_load() {
        return;
    }
    let Some(network) = Network::with(&["aws"]) else {
        return;
    };
    let (made, go) = (network.path("made"), network.path("go"));
    let mut client = network.begin("kept.py", &[&made, &go]);
    while !std::path::Path::new(&made).exists() {
        assert!(client.try_wait().expect("ours").is_none(), "it has ended");
        std::thread::sleep(Duration::from_millis(20));
    }
    let script = format!(
        "touch {go}; while kill -0 {} 2>/dev/null; do sleep 0.1; done",
        client.id()
    );
    let reaped = std::thread::spawn(move || client.wait().expect("ours"));
    let traced = network.trace_all("", &["sh", "-c", &script]);
    assert!(reaped.join().expect("waited").success());
    let role = "/latest/meta-data/iam/security-credentials/";
    assert!(
        asked(&traced).contains(&("aws".into(), role.into(), false)),
        "{}",
        traced.stdout
    );
}

#[test]
fn curl_in_a_shell_is_told_with_what_its_sibling_read() {
    if !can_load() {
        return;
    }
    let Some(network) = Network::with(&["aws"]) else {
        return;
    };
    let script = "key=$(cat $HOME/.aws/credentials); curl -s -o /dev/null https://sts.amazonaws.com/; \
                  curl -s -o /dev/null http://169.254.169.254/latest/meta-data/iam/security-credentials/";
    let traced = network.trace("", &["sh", "-c", script]);
    let event = connection(&traced);
    assert_eq!(to(event), ("aws", "sts.amazonaws.com"), "{event:#}");
    let (read, relation) = &behind(&traced, event)[0];
    assert_eq!(relation, "sibling", "{event:#}");
    assert_eq!(read["credential"]["kind"], "aws_access_key", "{read:#}");
    let [call] = &of_kind(&traced, "token_endpoint_call")[..] else {
        panic!("{}", traced.stdout);
    };
    assert_eq!(call["endpoint"]["metadata_version"], 1, "{call:#}");
}
