use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use proptest::prelude::*;

use super::{MAX_CONTENT_BYTES, MAX_IDENTITIES, identities};

const KINDS: [&str; 7] = [
    "aws_access_key",
    "aws_sso_token",
    "gcp_service_account_key",
    "kubeconfig",
    "kubernetes_service_account_token",
    "ssh_private_key",
    "ssh_host_key",
];

fn read(kind: &str, content: &[u8]) -> super::Parsed {
    identities(kind, Path::new("/x"), content)
}

#[test]
fn too_large_and_unknown_are_told() {
    assert_eq!(
        read("kubeconfig", &vec![b'a'; MAX_CONTENT_BYTES + 1]).unknown_reason,
        Some("too large")
    );
    assert_eq!(
        read("vault_token", b"hvs.x").unknown_reason,
        Some("no parser for this kind yet")
    );
}

#[test]
fn what_is_left_out_is_counted() {
    let text: String = (0..MAX_IDENTITIES + 3)
        .map(|n| format!("[p{n}]\naws_access_key_id=AKIAIOSFODNN7EXAMPLE\n"))
        .collect();
    let parsed = read("aws_access_key", text.as_bytes());
    assert_eq!(parsed.identities.len(), MAX_IDENTITIES);
    assert_eq!(
        parsed.identities[MAX_IDENTITIES - 1].attributes["omitted_identities"],
        "3"
    );
    assert_eq!(parsed.unknown_reason, None);
}

/// A megabyte of everything that parsers are slow or deep on. That it ends is the test (the runner kills what does not).
#[test]
fn a_megabyte_of_garbage_has_an_end() {
    for piece in [
        "[",
        "{\"a\":",
        "a: ",
        "- ",
        "[a]\n",
        "=\n",
        ".",
        "-----BEGIN ",
        "-----END ",
        "A",
        "\"",
        "'",
        "&a ",
        "\0",
        "# ",
        "\n",
        "ä",
    ] {
        let content = piece.repeat(MAX_CONTENT_BYTES / piece.len());
        for kind in KINDS {
            let parsed = read(kind, content.as_bytes());
            assert_eq!(
                parsed.identities.is_empty(),
                parsed.unknown_reason.is_some(),
                "{kind} {piece:?}"
            );
        }
    }
}

proptest! {
    #[test]
    fn any_bytes_give_an_answer(content in proptest::collection::vec(any::<u8>(), 0..2000)) {
        for kind in KINDS {
            let parsed = read(kind, &content);
            prop_assert_eq!(parsed.identities.is_empty(), parsed.unknown_reason.is_some());
        }
    }

    #[test]
    fn text_of_the_right_sort_gives_an_answer(
        content in "(\\[[a-z ]{0,5}\\]|[a-z_-]{1,9} ?[=:] ?[\"'a-zA-Z0-9\\[\\]{}#&*|>-]{0,20}|[{}\\[\\]\",:.-]{1,9}|-----(BEGIN|END) [A-Z ]{0,20}-----|\n|  - ){0,40}",
    ) {
        for kind in KINDS {
            let parsed = read(kind, content.as_bytes());
            prop_assert_eq!(parsed.identities.is_empty(), parsed.unknown_reason.is_some());
        }
    }

    /// Secrets planted wherever a format keeps them never come out, in whatever form the answer is shown.
    #[test]
    fn no_secret_comes_out(
        secret in "[A-Za-z0-9+/]{24,60}",
        profile in "[a-z]{1,8}",
        key in prop_oneof!["aws_secret_access_key", "aws_session_token", "credential_process", "unknown", "aws_access_key_id", "role_arn", "expires"],
        yaml_key in prop_oneof!["token", "password", "client-key-data", "client-certificate-data", "tokenFile", "unknown", "exec", "auth-provider"],
        cut in any::<prop::sample::Index>(),
    ) {
        let claims = format!(r#"{{"sub":"system:serviceaccount:a:{profile}","unknown":"{secret}","exp":"{secret}"}}"#);
        let good_claims = format!(r#"{{"sub":"system:serviceaccount:a:{profile}","unknown":"{secret}"}}"#);
        let files = [
            ("aws_access_key", format!("# {secret}\n[{profile}]\naws_access_key_id=AKIAIOSFODNN7EXAMPLE\n{key} = {secret}\n {secret}\n{secret}\n{secret}={secret}\n")),
            ("aws_access_key", format!(r#"{{"Credentials":{{"AccessKeyId":"ASIAQNZGKIQY56JQ7WML","SecretAccessKey":"{secret}","Expiration":"{secret}"}}}}"#)),
            ("aws_access_key", format!(r#"{{"Credentials":{{"AccessKeyId":"{secret}"}}}}"#)),
            ("aws_sso_token", format!(r#"{{"startUrl":"https://{secret}@{profile}.awsapps.com/{secret}","accessToken":"{secret}","expiresAt":"{secret}","region":"{secret}/"}}"#)),
            ("gcp_service_account_key", format!(r#"{{"type":"service_account","client_email":"{profile}@p.example","private_key":"{secret}","unknown":"{secret}"}}"#)),
            ("kubeconfig", format!("clusters:\n- name: c\n  cluster: {{server: 'https://u:{secret}@{profile}/?t={secret}'}}\ncontexts:\n- name: x\n  context: {{cluster: c, user: u}}\nusers:\n- name: u\n  user:\n    {yaml_key}: {secret}\n")),
            ("kubernetes_service_account_token", format!("{secret}.{}.{secret}", URL_SAFE_NO_PAD.encode(&claims))),
            ("kubernetes_service_account_token", format!("{secret}.{}.{secret}", URL_SAFE_NO_PAD.encode(&good_claims))),
            ("kubernetes_service_account_token", secret.clone()),
            ("ssh_private_key", format!("-----BEGIN OPENSSH PRIVATE KEY-----\n{secret}\n-----END OPENSSH PRIVATE KEY-----\n")),
            ("ssh_private_key", format!("-----BEGIN RSA PRIVATE KEY-----\n{secret}\n-----END RSA PRIVATE KEY-----\n")),
            ("ssh_private_key", format!("-----BEGIN {secret} PRIVATE KEY-----\n{secret}\n-----END {secret} PRIVATE KEY-----\n")),
        ];
        for (kind, content) in files {
            let whole = content.as_bytes();
            for content in [whole, &whole[..cut.index(whole.len())]] {
                let parsed = read(kind, content);
                let shown = format!("{parsed:?} {}", serde_json::to_string(&parsed.identities).expect("serializes"));
                prop_assert!(!shown.contains(&secret[..20]), "{} gave away its secret: {}", kind, shown);
            }
        }
    }
}
