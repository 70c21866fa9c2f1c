//! Which ATT&CK technique taking a kind of credential is, by the version in [`super::finding::ATTACK_VERSION`].
//!
//! | technique | name | kinds |
//! | --- | --- | --- |
//! | T1003.008 | OS Credential Dumping: /etc/passwd and /etc/shadow | password hashes |
//! | T1098.004 | Account Manipulation: SSH Authorized Keys | keys that may log in |
//! | T1528 | Steal Application Access Token | tokens of clouds, clusters and services |
//! | T1552.004 | Unsecured Credentials: Private Keys | private keys and keystores |
//! | T1552.001 | Unsecured Credentials: Credentials In Files | all else |

const PASSWORD_HASHES: &[&str] = &["host_password_hashes"];
const LOGIN_KEYS: &[&str] = &["ssh_authorized_keys"];
const TOKENS: &[&str] = &[
    "ai_agent_token",
    "aws_sso_token",
    "aws_web_identity_token",
    "azure_credentials",
    "azure_federated_token",
    "cargo_token",
    "ci_runner_credentials",
    "digitalocean_token",
    "eks_pod_identity_token",
    "gcp_federated_token",
    "gcp_user_credentials",
    "github_token",
    "kubernetes_service_account_token",
    "npm_token",
    "pypi_token",
    "terraform_token",
    "vault_token",
];
const PRIVATE_KEYS: &[&str] = &[
    "gcp_service_account_key",
    "gpg_private_key",
    "keystore",
    "kubernetes_pki_key",
    "private_key",
    "spiffe_key",
    "ssh_host_key",
    "ssh_private_key",
];

pub(super) fn technique(kind: &str) -> &'static str {
    let table = [
        (PASSWORD_HASHES, "T1003.008"),
        (LOGIN_KEYS, "T1098.004"),
        (TOKENS, "T1528"),
        (PRIVATE_KEYS, "T1552.004"),
    ];
    table
        .iter()
        .find(|(kinds, _)| kinds.contains(&kind))
        .map_or("T1552.001", |(_, technique)| technique)
}

#[cfg(test)]
mod tests {
    use claviger_proto::catalogue::Catalogue;

    use super::*;

    #[test]
    fn every_kind_of_the_table_is_in_the_catalogue() {
        for kind in [PASSWORD_HASHES, LOGIN_KEYS, TOKENS, PRIVATE_KEYS].concat() {
            assert!(Catalogue::shipped().kind(kind).is_some(), "{kind}");
        }
    }

    #[test]
    fn kinds_have_their_technique() {
        assert_eq!(technique("aws_access_key"), "T1552.001");
        assert_eq!(technique("ssh_private_key"), "T1552.004");
        assert_eq!(technique("kubernetes_service_account_token"), "T1528");
        assert_eq!(technique("host_password_hashes"), "T1003.008");
    }
}
