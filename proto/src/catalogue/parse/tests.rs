use proptest::prelude::*;

use crate::catalogue::{Anchor, Catalogue, ERRORS_MAX, Operation, Pattern};
use crate::v1;

/// All that is wrong, a line each.
fn refusals(text: &str) -> Vec<String> {
    let errors = Catalogue::parse(text, "own.toml").expect_err("must be refused");
    errors.lines().collect()
}

fn refusal(text: &str) -> String {
    let mut all = refusals(text);
    assert_eq!(all.len(), 1, "{all:#?}");
    all.remove(0)
}

const KIND: &str = "version = 1\n[[kind]]\nname = \"k\"\ntitle = \"K\"\n";

#[test]
fn a_wrong_catalogue_says_where_and_why() {
    for (rest, expected) in [
        (
            "[[entry]]\nid = \"e\"\nkind = \"k\"\nglobs = [\"/a/[x]\"]\n",
            "own.toml:8:10: \"e\": globs: pattern \"/a/[x]\" cannot be used: character classes and escapes are not known, only *, ?, ** and {a,b}",
        ),
        (
            "[[entry]]\nid = \"e\"\nkind = \"other\"\nglobs = [\"/a\"]\n",
            "own.toml:7:8: \"e\": kind: there is no kind of this name: add a [[kind]] with it",
        ),
        (
            "[[entry]]\nid = \"e\"\nkind = \"k\"\nglobs = []\n",
            "own.toml:6:6: \"e\": globs: it has none: write at least one pattern",
        ),
        (
            "[[entry]]\nid = \"E!\"\nkind = \"k\"\nglobs = [\"/a\"]\n",
            "own.toml:6:6: \"E!\": id: an entry's id has only a-z, 0-9 and -",
        ),
        (
            "[[kind]]\nname = \"r\"\ntitle = \"R\"\nusual_readers = [\"/x\", \"~/x\"]\n",
            "own.toml:8:24: \"r\": usual_readers: a usual reader is an absolute path, beginning with /",
        ),
        (
            "[[kind]]\nname = \"k\"\ntitle = \"K\"\n",
            "own.toml:6:8: \"k\": name: there is another kind of this name; without a title, this one's readers are added to it",
        ),
    ] {
        assert_eq!(refusal(&format!("{KIND}{rest}")), expected);
    }
    assert_eq!(
        refusal("version = 2\n"),
        "own.toml:1:11: version 2 is not known, this program reads version 1"
    );
}

#[test]
fn an_unknown_key_is_refused_with_its_line() {
    let text = format!("{KIND}[[entry]]\nid = \"e\"\nkind = \"k\"\nglobs = [\"/a\"]\nopt_inn = true\n");
    let refusal = refusal(&text);
    assert!(
        refusal.starts_with("own.toml:9:1: opt_inn: unknown field `opt_inn`"),
        "{refusal}"
    );
}

#[test]
fn all_that_is_wrong_is_told_at_once() {
    let text = format!(
        "{KIND}[[entry]]\nid = \"e\"\nkind = \"k\"\nglobs = [\"a\", \"/b\", \"/c/\"]\nexcept = [\"~x\"]\noperations = []\n\
         [[entry]]\nid = \"f\"\nkind = \"other\"\nglobs = [\"/{{a\"]\n\
         [[entry]]\nid = \"g\"\nkind = \"k\"\nglob = [\"/a\"]\nexcept = 1\n\
         [[start]]\nid = \"s\"\nkind = \"k\"\nvariables = [\"A B\"]\noptions = [\"x\"]\n"
    );
    let told = refusals(&text);
    let expected = [
        "6:6: \"e\": operations: it has none",
        "8:10: \"e\": globs: pattern \"a\" cannot be used: it has to begin",
        "8:21: \"e\": globs: pattern \"/c/\" cannot be used: it ends with /",
        "9:11: \"e\": except: pattern \"~x\" cannot be used",
        "13:8: \"f\": kind: there is no kind of this name",
        "14:10: \"f\": globs: pattern \"/{a\" cannot be used: a brace",
        "18:1: glob: unknown field `glob`",
        "19:10: except: invalid type",
        "23:14: \"s\": variables: a variable's name",
        "24:12: \"s\": options: an option begins with -",
    ];
    assert_eq!(told.len(), expected.len(), "{told:#?}");
    for (told, expected) in told.iter().zip(expected) {
        assert!(told.starts_with(&format!("own.toml:{expected}")), "{told}");
    }
    let two = refusals("version = 1\nx = [\ny = 1\n[[z\n");
    assert!(two.len() > 1, "{two:#?}");
}

#[test]
fn what_is_wrong_beyond_the_bound_is_counted() {
    let globs = vec!["\"a\""; ERRORS_MAX + 3].join(",");
    let text = format!("{KIND}[[entry]]\nid = \"e\"\nkind = \"k\"\nglobs = [{globs}]\n");
    let errors = Catalogue::parse(&text, "own.toml").expect_err("must be refused");
    assert_eq!((errors.lines().count(), errors.more()), (ERRORS_MAX, 3));
    let all = errors.to_string();
    assert!(all.ends_with(&format!(" (and {} more)", ERRORS_MAX + 2)), "{all}");
}

#[test]
fn an_id_stands_once() {
    let entry = "[[entry]]\nid = \"e\"\nkind = \"k\"\nglobs = [\"/a\"]\n";
    assert_eq!(
        refusal(&format!("{KIND}{entry}{entry}")),
        "own.toml:10:6: \"e\": id: there is another entry with this id; `remove` that one to put this in its place"
    );
}

#[test]
fn reading_is_what_is_watched_unless_said_otherwise() {
    let catalogue = Catalogue::shipped();
    let watches = |id: &str, operation| catalogue.entry(id).expect("an entry").watches(operation);
    assert_eq!(
        catalogue.entry("ssh-private-key").expect("an entry").operations(),
        [Operation::Read]
    );
    assert!(watches("ssh-private-key", v1::Operation::Read));
    assert!(watches("ssh-private-key", v1::Operation::ReadWrite));
    assert!(!watches("ssh-private-key", v1::Operation::Write));
    assert!(!watches("ssh-authorized-keys", v1::Operation::Read));
    assert!(watches("ssh-authorized-keys", v1::Operation::Write));
}

#[test]
fn usual_readers_go_by_the_whole_path() {
    let catalogue = Catalogue::shipped();
    for (kind, exe, expected) in [
        ("aws_access_key", "/usr/bin/aws", true),
        ("aws_access_key", "/usr/local/aws-cli/v2/2.31.0/dist/aws", true),
        ("aws_access_key", "/tmp/aws", false),
        ("aws_access_key", "/usr/bin/cat", false),
        ("aws_access_key", "/usr/bin/python3.11", false),
        ("aws_access_key", "", false),
        ("host_password_hashes", "/usr/sbin/unix_chkpwd", true),
        ("host_password_hashes", "/usr/sbin/cron", true),
        ("ssh_private_key", "/usr/bin/ssh", true),
        ("ssh_host_key", "/usr/sbin/sshd", true),
        ("ssh_host_key", "/usr/bin/ssh", false),
        ("kubeconfig", "/usr/local/bin/kubectl", true),
        ("no_such_kind", "/usr/bin/aws", false),
    ] {
        assert_eq!(catalogue.is_usual_reader(kind, exe), expected, "{kind} {exe}");
    }
    assert!(catalogue.usual_readers("no_such_kind").is_empty());
}

#[test]
fn no_interpreter_is_a_usual_reader() {
    let catalogue = Catalogue::shipped();
    for entry in catalogue.entries() {
        for exe in [
            "/usr/bin/python3",
            "/usr/bin/python3.11",
            "/usr/bin/node",
            "/bin/sh",
            "/usr/bin/bash",
            "/usr/bin/perl",
        ] {
            assert!(
                !catalogue.is_usual_reader(entry.kind(), exe),
                "{} {exe}",
                entry.id()
            );
        }
    }
}

/// One example at least for each row of the list that the catalogue was made from; `~` is `/root` here.
#[test]
fn every_known_place_is_in_the_shipped_catalogue() {
    for (path, kind) in [
        (
            "/run/secrets/kubernetes.io/serviceaccount/token",
            "kubernetes_service_account_token",
        ),
        (
            "/var/run/secrets/kubernetes.io/serviceaccount/..data/token",
            "kubernetes_service_account_token",
        ),
        (
            "/var/lib/kubelet/pods/1/volumes/kubernetes.io~projected/x/..2026/token",
            "kubernetes_service_account_token",
        ),
        (
            "/var/lib/kubelet/pods/1/volumes/kubernetes.io~secret/db/password",
            "kubernetes_mounted_secret",
        ),
        (
            "/var/run/secrets/eks.amazonaws.com/serviceaccount/token",
            "aws_web_identity_token",
        ),
        (
            "/run/secrets/pods.eks.amazonaws.com/serviceaccount/eks-pod-identity-token",
            "eks_pod_identity_token",
        ),
        (
            "/run/secrets/azure/tokens/azure-identity-token",
            "azure_federated_token",
        ),
        (
            "/run/secrets/tokens/azure-identity-token",
            "azure_federated_token",
        ),
        ("/run/secrets/tokens/gcp-ksa/token", "gcp_federated_token"),
        ("/var/run/secrets/google/x", "gcp_federated_token"),
        ("~/.kube/config", "kubeconfig"),
        ("~/.kube/cache/oidc/x", "kubernetes_client_cache"),
        ("/etc/kubernetes/admin.conf", "kubeconfig"),
        ("/etc/rancher/rke2/rke2.yaml", "kubeconfig"),
        ("/var/lib/kubelet/kubeconfig", "kubeconfig"),
        (
            "/var/lib/kubelet/pki/kubelet-client-current.pem",
            "kubernetes_pki_key",
        ),
        ("/etc/kubernetes/pki/etcd/server.key", "kubernetes_pki_key"),
        ("~/.aws/credentials", "aws_access_key"),
        ("~/.aws/config", "aws_access_key"),
        ("~/.aws/cli/cache/1.json", "aws_access_key"),
        ("~/.aws/sso/cache/1.json", "aws_sso_token"),
        ("~/.config/gcloud/credentials.db", "gcp_user_credentials"),
        (
            "~/.config/gcloud/legacy_credentials/a/adc.json",
            "gcp_user_credentials",
        ),
        ("/srv/key.json", "gcp_service_account_key"),
        ("~/.azure/msal_token_cache.json", "azure_credentials"),
        ("/var/lib/waagent/x.prv", "azure_vm_agent_secret"),
        ("~/.oci/config", "oci_credentials"),
        ("~/.oci/sessions/a/token", "oci_credentials"),
        ("~/.oci/key.pem", "oci_credentials"),
        ("~/.config/doctl/config.yaml", "digitalocean_token"),
        ("/srv/clouds.yaml", "openstack_credentials"),
        ("~/.cloudflared/cert.pem", "cloudflare_tunnel_credentials"),
        ("~/.ssh/id_ed25519", "ssh_private_key"),
        ("~/.ssh/authorized_keys", "ssh_authorized_keys"),
        ("/etc/ssh/ssh_host_rsa_key", "ssh_host_key"),
        ("~/.docker/config.json", "registry_credentials"),
        ("/run/containers/0/auth.json", "registry_credentials"),
        ("~/.config/containers/auth.json", "registry_credentials"),
        ("/var/lib/kubelet/config.json", "registry_credentials"),
        ("~/.vault-token", "vault_token"),
        ("/vault/secrets/a/b", "vault_token"),
        ("/etc/vault.d/vault.hcl", "vault_configuration"),
        ("/opt/spire/data/agent/keys.json", "spiffe_key"),
        ("/var/lib/spire/agent-data.json", "spiffe_key"),
        ("/srv/certs/svid.key", "spiffe_key"),
        ("~/.git-credentials", "git_credentials"),
        ("~/.netrc", "netrc_password"),
        ("~/.config/gh/hosts.yml", "github_token"),
        ("~/.npmrc", "npm_token"),
        ("~/.pypirc", "pypi_token"),
        ("~/.cargo/credentials.toml", "cargo_token"),
        ("~/.m2/settings.xml", "maven_settings"),
        ("~/.terraform.d/credentials.tfrc.json", "terraform_token"),
        ("/srv/infra/prod.tfstate", "terraform_state"),
        ("/var/lib/jenkins/secrets/master.key", "jenkins_secret"),
        ("/var/jenkins_home/credentials.xml", "jenkins_secret"),
        ("/etc/gitlab-runner/config.toml", "ci_runner_credentials"),
        ("/opt/actions-runner/.credentials", "ci_runner_credentials"),
        ("~/.claude.json", "ai_agent_token"),
        ("~/.codex/auth.json", "ai_agent_token"),
        ("~/.gemini/oauth_creds.json", "ai_agent_token"),
        ("~/.cursor/mcp.json", "ai_agent_token"),
        ("/srv/project/.mcp.json", "ai_agent_token"),
        ("/etc/krb5.keytab", "kerberos_keytab"),
        ("/srv/http.keytab", "kerberos_keytab"),
        ("/tmp/krb5cc_0", "kerberos_ticket_cache"),
        ("/var/lib/sss/db/cache.ldb", "sssd_secrets"),
        ("/etc/shadow", "host_password_hashes"),
        ("/etc/gshadow", "host_password_hashes"),
        ("/etc/security/opasswd", "host_password_hashes"),
        ("/etc/sudoers", "sudo_rules"),
        ("/etc/sudoers.d/90-x", "sudo_rules"),
        ("/run/credentials/a.service/key", "systemd_credential"),
        ("/etc/credstore.encrypted/key", "systemd_credential"),
        ("/srv/tls/site.key", "private_key"),
        ("/srv/tls/site.pfx", "keystore"),
        ("~/.gnupg/private-keys-v1.d/0A.key", "gpg_private_key"),
        ("/var/lib/cloud/instances/i-1/user-data.txt", "bootstrap_secret"),
        ("/etc/cloud/cloud.cfg.d/90.cfg", "bootstrap_secret"),
        ("/srv/app/.env", "application_secret"),
        ("~/.pgpass", "application_secret"),
    ] {
        let found = Catalogue::shipped()
            .entries()
            .iter()
            .find(|entry| entry.patterns().iter().any(|p| at(p, path)));
        assert_eq!(found.map(|entry| entry.kind()), Some(kind), "{path}");
    }
}

fn at(pattern: &Pattern, path: &str) -> bool {
    match path.strip_prefix("~/") {
        Some(below) => {
            let names: Vec<&[u8]> = below.split('/').map(str::as_bytes).collect();
            pattern.matches(format!("/root/{below}").as_bytes())
                || (pattern.anchor() == Anchor::Home && pattern.matches_names(&names))
        }
        None => pattern.matches(path.as_bytes()),
    }
}

proptest! {
    #[test]
    fn parsing_is_total(text in "(version = 1\n)?(\\[\\[(kind|entry)\\]\\]\n|[a-z]{1,5} = (\"[^\"]{0,9}\"|\\[\\]|1)\n|.{0,20}\n){0,12}") {
        let _ = Catalogue::parse(&text, "own.toml");
    }
}
