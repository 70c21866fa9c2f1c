//! The key file of a Google Cloud service account: whose it is, and which key. The key itself is stepped over, not read.

use std::borrow::Cow;

use claviger_proto::v1::Identity;
use serde::Deserialize;

use super::public::{self, attribute};

#[derive(Deserialize)]
struct KeyFile<'a> {
    #[serde(borrow, default)]
    client_email: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    private_key_id: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    project_id: Option<Cow<'a, str>>,
}

/// Letters that an e-mail address of a service account, a key's id and a project's id have. What has others is not shown: it could be anything.
fn plain<'a>(text: Option<&'a Cow<'a, str>>) -> Option<&'a str> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_' | ':' | '@');
    text.map(AsRef::as_ref)
        .filter(|text| !text.is_empty() && text.len() <= 256 && text.chars().all(is_plain))
}

/// The service account.
pub(super) fn service_account(content: &[u8]) -> Result<Vec<Identity>, &'static str> {
    let file: KeyFile<'_> =
        serde_json::from_slice(content).map_err(|_| "not the key file of a service account")?;
    let email = plain(file.client_email.as_ref())
        .filter(|email| email.contains('@'))
        .ok_or("the key file names no service account")?;
    let mut identity = public::identity(
        "gcp_service_account",
        email,
        "key_file",
        "client_email, not verified",
    );
    attribute(&mut identity, "key_id", plain(file.private_key_id.as_ref()));
    attribute(&mut identity, "project", plain(file.project_id.as_ref()));
    Ok(vec![identity])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const FILE: &str = r#"{"type": "service_account", "project_id": "p-1", "private_key_id": "0a1b", "private_key": "-----BEGIN PRIVATE KEY-----\nSECRETDECOY\n-----END PRIVATE KEY-----\n", "client_email": "app@p-1.iam.gserviceaccount.com"}"#;

    #[test]
    fn the_account_and_its_key_are_named_and_the_key_is_not_shown() {
        let identities = service_account(FILE.as_bytes()).expect("one");
        let [identity] = identities.as_slice() else {
            panic!("{identities:?}")
        };
        assert_eq!(identity.kind, "gcp_service_account");
        assert_eq!(identity.id, "app@p-1.iam.gserviceaccount.com");
        assert_eq!(identity.attributes["key_id"], "0a1b");
        assert_eq!(identity.attributes["project"], "p-1");
        assert!(!format!("{identities:?}").contains("SECRETDECOY"));
    }

    #[test]
    fn what_is_in_the_wrong_place_is_not_shown() {
        let swapped = FILE.replace(
            "app@p-1.iam.gserviceaccount.com",
            "-----BEGIN PRIVATE KEY----- x@y",
        );
        assert_eq!(
            service_account(swapped.as_bytes()),
            Err("the key file names no service account")
        );
        let key_as_id = FILE.replace("0a1b", "line one\\nline two");
        let identities = service_account(key_as_id.as_bytes()).expect("one");
        assert!(!identities[0].attributes.contains_key("key_id"));
    }

    proptest! {
        #[test]
        fn any_bytes_give_an_answer(content in proptest::collection::vec(any::<u8>(), 0..300), cut in 0_usize..250) {
            let _ = service_account(&content);
            let _ = service_account(&FILE.as_bytes()[..cut.min(FILE.len())]);
        }
    }
}
