//! Programs that people type: which identity was used with what, in events and in words.

use std::{fs, process::Command};

use claviger_tests::{Traced, can_load};
use serde_json::Value;

use crate::{
    keys::{self, KeyAgent},
    network::{Network, behind, of_kind},
    words::assert_story,
};

/// The home there, as it is told.
pub(crate) fn home(network: &Network) -> String {
    network.decoy.home().display().to_string()
}

#[test]
fn aws_is_told_with_the_key_that_it_read() {
    if !can_load() {
        return;
    }
    let Some(network) = Network::with(&["aws"]) else {
        return;
    };
    let command = ["aws", "sts", "get-caller-identity", "--region", "eu-central-1"];
    let traced = network.trace("", &command);
    let [event] = &of_kind(&traced, "identity_provider_connection")[..] else {
        panic!("{}", traced.stdout);
    };
    assert_eq!(event["endpoint"]["provider"], "aws", "{event:#}");
    let (read, relation) = &behind(&traced, event)[0];
    assert_eq!(relation, "same_process", "{event:#}");
    assert_eq!(
        read["credential"]["identities"][0]["id"], "AKIAIOSFODNN7EXAMPLE",
        "{read:#}"
    );
    let told = network.tell("", &command);
    let home = home(&network);
    let by = format!("  by        {}", Network::client("aws"));
    assert_story(
        &told,
        &[
            &format!("read {home}/.aws/credentials (aws_access_key)"),
            &by,
            "  identity  aws_access_key_id AKIAIOSFODNN7EXAMPLE (profile default, temporary false)",
            "identity_provider_connection at 127.0.0.2:443 (sts.eu-central-1.amazonaws.com, aws)",
            &by,
            &format!("  after     read {home}/.aws/credentials (aws_access_key), by itself"),
        ],
    );
}

#[test]
fn aws_that_asks_for_a_secret_is_told_with_where_it_asked() {
    if !can_load() {
        return;
    }
    let Some(network) = Network::with(&["aws"]) else {
        return;
    };
    let command = [
        "aws",
        "secretsmanager",
        "list-secrets",
        "--region",
        "eu-central-1",
    ];
    let traced = network.trace("", &command);
    let [event] = &of_kind(&traced, "identity_provider_connection")[..] else {
        panic!("{}", traced.stdout);
    };
    assert_eq!(
        event["endpoint"]["name"], "secretsmanager.eu-central-1.amazonaws.com",
        "{event:#}"
    );
    assert_eq!(event["endpoint"]["provider"], "aws", "{event:#}");
    let (read, _) = &behind(&traced, event)[0];
    assert_eq!(read["credential"]["kind"], "aws_access_key", "{read:#}");
}

/// Asserts that this key was used, once or repeatedly, and nothing else; the first use.
pub(crate) fn assert_key<'a>(traced: &'a Traced, fingerprint: &str) -> &'a Value {
    for event in &traced.events {
        assert_eq!(event["credential"]["kind"], "ssh_private_key", "{event:#}");
        assert_eq!(
            event["credential"]["identities"][0]["id"], fingerprint,
            "{event:#}"
        );
    }
    traced.events.first().expect("a use")
}

#[test]
fn ssh_is_told_with_the_key_that_it_read() {
    if !can_load() {
        return;
    }
    let Some(network) = Network::with(&["ssh"]) else {
        return;
    };
    let fingerprint = keys::make(&network);
    let command = ["ssh", "-T", "git@git.example"];
    let traced = network.trace("", &command);
    assert_key(&traced, &fingerprint);
    let told = network.tell("", &command);
    assert_story(
        &told,
        &[
            &format!("read {}/.ssh/id_ed25519 (ssh_private_key)", home(&network)),
            "  by        /usr/bin/ssh",
            &format!("  identity  ssh_key_fingerprint {fingerprint} (encrypted false, key_type ssh-ed25519)"),
        ],
    );
}

#[test]
fn ssh_with_an_agent_is_told_with_who_answered() {
    if !can_load() {
        return;
    }
    let Some(network) = Network::with(&["ssh"]) else {
        return;
    };
    keys::make(&network);
    let agent = KeyAgent::with_the_key(&network);
    let socket = agent.socket.display().to_string();
    let variable = format!("SSH_AUTH_SOCK={socket}");
    let command = [&*variable, "ssh", "-T", "git@git.example"];
    let traced = network.trace("", &command);
    let event = traced.only();
    assert_eq!(event["kind"], "agent_socket_connect", "{event:#}");
    assert_eq!(event["agent_socket"]["peer"]["pid"], agent.pid(), "{event:#}");
    let told = network.tell("", &command);
    assert_story(
        &told,
        &[
            &format!("agent_socket_connect {socket} (ssh_agent), answered by /usr/bin/ssh-agent"),
            "  by        /usr/bin/ssh",
        ],
    );
}

/// A repository with something to push, and the command that pushes it.
pub(crate) fn push(network: &Network) -> Vec<String> {
    let work = network.path("work");
    let git = |arguments: &[&str]| {
        let done = Command::new("git")
            .args([
                "-C",
                &work,
                "-c",
                "user.name=decoy",
                "-c",
                "user.email=decoy@git.example",
            ])
            .args(arguments)
            .env("HOME", network.decoy.home())
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .output()
            .expect("git");
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    };
    fs::create_dir(&work).expect("a directory");
    git(&["init", "--quiet"]);
    git(&["commit", "--quiet", "--allow-empty", "--message", "decoy"]);
    let to = format!("git@git.example:{}", network.path("repository.git"));
    [
        "git",
        "-C",
        &work,
        "push",
        "--quiet",
        "--force",
        &to,
        "HEAD:refs/heads/main",
    ]
    .map(str::to_owned)
    .into()
}

#[test]
fn git_is_told_with_the_key_that_ssh_read_for_it() {
    if !can_load() {
        return;
    }
    let Some(network) = Network::with(&["ssh"]) else {
        return;
    };
    let fingerprint = keys::make(&network);
    let push = push(&network);
    let command: Vec<&str> = push.iter().map(String::as_str).collect();
    let traced = network.trace("", &command);
    let event = assert_key(&traced, &fingerprint);
    let ancestors = event["actor"]["ancestors"].as_array().expect("a list");
    assert_eq!(ancestors[0]["comm"], "git", "{event:#}");
    assert!(
        fs::exists(network.path("repository.git/refs/heads/main")).expect("a directory"),
        "it was pushed: {}",
        traced.stderr
    );
    let told = network.tell("", &command);
    assert_story(
        &told,
        &[
            &format!("read {}/.ssh/id_ed25519 (ssh_private_key)", home(&network)),
            "  by        /usr/bin/ssh",
            &format!("  identity  ssh_key_fingerprint {fingerprint} (encrypted false, key_type ssh-ed25519)"),
        ],
    );
}

#[test]
fn kubectl_is_told_with_the_user_of_its_configuration() {
    if !can_load() {
        return;
    }
    let Some(network) = Network::with(&["kubernetes"]) else {
        return;
    };
    network.decoy.write(
        ".kube/config",
        &format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: c\n\
             contexts: [{{name: c, context: {{cluster: k, user: deployer}}}}]\n\
             clusters: [{{name: k, cluster: {{server: 'https://api.cluster.example:6443', certificate-authority: {}}}}}]\n\
             users: [{{name: deployer, user: {{token: decoy-token}}}}]\n",
            network.path("ca.crt")
        ),
    );
    // Which server that is the catalogue does not know: the file says so.
    let command = ["kubectl", "get", "pods", "--namespace", "payments"];
    let traced = network.trace("", &command);
    let event = of_kind(&traced, "identity_provider_connection")[0];
    assert_eq!(event["endpoint"]["provider"], "kubernetes", "{event:#}");
    assert_eq!(event["endpoint"]["name"], "api.cluster.example", "{event:#}");
    let (read, relation) = &behind(&traced, event)[0];
    assert_eq!(relation, "same_process", "{event:#}");
    assert_eq!(
        read["credential"]["identities"][0]["id"], "deployer@k",
        "{read:#}"
    );
    let told = network.tell("", &command);
    let home = home(&network);
    let by = format!("  by        {}", Network::client("kubectl"));
    assert_story(
        &told,
        &[
            &format!("read {home}/.kube/config (kubeconfig)"),
            &by,
            "  identity  kubeconfig_user deployer@k (authentication token, cluster k, context c, current true, \
             server api.cluster.example:6443, user deployer)",
            "identity_provider_connection at 127.0.0.3:6443 (api.cluster.example, kubernetes)",
            &by,
            &format!("  after     read {home}/.kube/config (kubeconfig), by itself"),
        ],
    );
}

#[test]
fn what_goes_through_a_proxy_is_told_as_what_it_is_for() {
    if !can_load() {
        return;
    }
    let Some(network) = Network::with(&["aws", "proxy"]) else {
        return;
    };
    let role = "http://169.254.169.254/latest/meta-data/iam/security-credentials/default-role";
    let command = [
        "http_proxy=http://proxy.example:3128",
        "curl",
        "-s",
        "-o",
        "/dev/null",
        role,
    ];
    let traced = network.trace("", &command);
    let call = traced.only();
    assert_eq!(call["kind"], "token_endpoint_call", "{call:#}");
    assert_eq!(call["endpoint"]["by_proxy"], true, "{call:#}");
    assert_eq!(call["endpoint"]["for_token"], true, "{call:#}");
    assert_eq!(call["endpoint"]["status"], 200, "{call:#}");
    let told = network.tell("", &command);
    assert_story(
        &told,
        &[
            "token_endpoint_call GET /latest/meta-data/iam/security-credentials/default-role at 169.254.169.254:80 \
             (aws, IMDSv1, for a token, by the proxy at 127.0.0.4:3128) → 200",
            "  by        /usr/bin/curl",
        ],
    );

    let script = "key=$(cat $HOME/.aws/credentials); https_proxy=http://proxy.example:3128 curl -s -o /dev/null https://sts.amazonaws.com/";
    let command = ["sh", "-c", script];
    let traced = network.trace("", &command);
    let [event] = &of_kind(&traced, "identity_provider_connection")[..] else {
        panic!("{}", traced.stdout);
    };
    assert_eq!(event["endpoint"]["provider"], "aws", "{event:#}");
    assert_eq!(event["endpoint"]["name"], "sts.amazonaws.com", "{event:#}");
    assert_eq!(event["endpoint"]["address"], "127.0.0.4", "{event:#}");
    assert_eq!(event["endpoint"]["port"], 3128, "{event:#}");
    let told = network.tell("", &command);
    let read = format!("read {}/.aws/credentials (aws_access_key)", home(&network));
    assert_story(
        &told,
        &[
            &read,
            "  by        /usr/bin/cat",
            "  identity  aws_access_key_id AKIAIOSFODNN7EXAMPLE (profile default, temporary false)",
            "identity_provider_connection at 127.0.0.4:3128 (sts.amazonaws.com, aws, by a proxy)",
            "  by        /usr/bin/curl",
            &format!("  after     {read}, by another of the same parent"),
        ],
    );
}
