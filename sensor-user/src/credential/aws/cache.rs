//! The JSON caches of AWS's tools. Only the fields named here are taken, the rest is passed over without being copied.

use std::borrow::Cow;

use claviger_proto::v1::Identity;
use serde::Deserialize;

use super::key_id;
use crate::credential::public::{self, attribute};

#[derive(Deserialize)]
struct RoleCache<'a> {
    #[serde(
        borrow,
        alias = "credentials",
        alias = "roleCredentials",
        rename = "Credentials"
    )]
    credentials: RoleCredentials<'a>,
}

#[derive(Deserialize)]
struct RoleCredentials<'a> {
    #[serde(borrow, alias = "accessKeyId", rename = "AccessKeyId")]
    access_key_id: Cow<'a, str>,
    #[serde(borrow, default, alias = "expiration", rename = "Expiration")]
    expiration: Option<Expiration<'a>>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Expiration<'a> {
    Milliseconds(i64),
    Text(#[serde(borrow)] Cow<'a, str>),
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SsoCache<'a> {
    #[serde(borrow)]
    start_url: Cow<'a, str>,
    #[serde(borrow, default)]
    region: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    expires_at: Option<Cow<'a, str>>,
}

/// Temporary credentials of a role, as in `~/.aws/cli/cache`.
pub(super) fn role_credentials(text: &str) -> Result<Vec<Identity>, &'static str> {
    // The reader's own message may quote the content, so it goes no further.
    let cache: RoleCache<'_> = serde_json::from_str(text).map_err(|_| "not the JSON of this kind")?;
    let credentials = cache.credentials;
    let mut identity = key_id::identity(&credentials.access_key_id, "json_field", "AccessKeyId")
        .ok_or("no access key id")?;
    let expiry = match &credentials.expiration {
        Some(Expiration::Milliseconds(milliseconds)) => {
            public::time_of_seconds(milliseconds.div_euclid(1000))
        }
        Some(Expiration::Text(text)) => public::time(text).map(str::to_owned),
        None => None,
    };
    attribute(&mut identity, "expiry", expiry.as_deref());
    Ok(vec![identity])
}

/// A session of IAM Identity Center, as in `~/.aws/sso/cache`.
pub(super) fn sso_token(text: &str) -> Result<Vec<Identity>, &'static str> {
    let cache: SsoCache<'_> = serde_json::from_str(text).map_err(|_| "not the JSON of this kind")?;
    let host = public::host(&cache.start_url).ok_or("no start URL")?;
    let mut identity = public::identity("aws_sso_start_host", host, "json_field", "startUrl");
    let is_region =
        |region: &&str| region.len() <= 32 && region.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    attribute(&mut identity, "region", cache.region.as_deref().filter(is_region));
    attribute(
        &mut identity,
        "expiry",
        cache.expires_at.as_deref().and_then(public::time),
    );
    Ok(vec![identity])
}

#[cfg(test)]
mod tests {
    use crate::credential::aws::{profiles_or_cache, sso_cache};

    #[test]
    fn temporary_credentials_show_their_id_and_expiry() {
        for (text, expiry) in [
            (
                r#"{"Credentials": {"AccessKeyId": "ASIAQNZGKIQY56JQ7WML", "SecretAccessKey": "s",
                    "SessionToken": "t", "Expiration": "2026-11-21T23:00:00UTC"}, "ResponseMetadata": {}}"#,
                "2026-11-21T23:00:00UTC",
            ),
            (
                r#"{"roleCredentials": {"accessKeyId": "ASIAQNZGKIQY56JQ7WML", "expiration": 1000}}"#,
                "1970-01-01T00:00:01.000000000Z",
            ),
        ] {
            let found = profiles_or_cache(text.as_bytes()).expect("identities");
            assert_eq!(found[0].id, "ASIAQNZGKIQY56JQ7WML");
            assert_eq!(found[0].attributes["expiry"], expiry);
        }
    }

    #[test]
    fn a_session_shows_where_it_was_started() {
        let text = r#"{"startUrl": "https://corp.awsapps.com/start", "region": "eu-west-1", "accessToken": "SECRET",
                       "expiresAt": "2026-11-21T23:00:00Z", "clientSecret": "SECRET"}"#;
        let found = sso_cache(text.as_bytes()).expect("identities");
        assert_eq!(found[0].id, "corp.awsapps.com");
        assert_eq!(found[0].attributes["region"], "eu-west-1");
        assert!(!format!("{found:?}").contains("SECRET"));
    }

    #[test]
    fn other_json_is_refused() {
        for text in [
            "{",
            "{}",
            r#"{"Credentials": {"AccessKeyId": 1}}"#,
            r#"{"Credentials": []}"#,
        ] {
            assert_eq!(
                profiles_or_cache(text.as_bytes()),
                Err("not the JSON of this kind"),
                "{text}"
            );
        }
        assert_eq!(sso_cache(b"[[["), Err("not the JSON of this kind"));
        assert_eq!(sso_cache(br#"{"startUrl": "x"}"#), Err("no start URL"));
    }
}
