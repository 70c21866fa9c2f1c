//! JSON web tokens: what they claim. Nothing is verified (we have no key and need none: the claims are what the file says), and the
//! signature, the part that makes a token worth stealing, is not even decoded.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use claviger_proto::v1::Identity;
use serde::Deserialize;
use serde_json::Number;
use zeroize::Zeroizing;

use super::public::{self, attribute};

/// Bytes of a token, at most. Real ones have about 1,000 to 3,000.
const MAX_TOKEN_BYTES: usize = 64 * 1024;

#[derive(Deserialize)]
struct Claims<'a> {
    #[serde(borrow, default)]
    iss: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    sub: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    aud: Option<Audience<'a>>,
    #[serde(default)]
    exp: Option<Number>,
    #[serde(default)]
    iat: Option<Number>,
    #[serde(borrow, default, rename = "kubernetes.io")]
    kubernetes: Option<Kubernetes<'a>>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Audience<'a> {
    One(#[serde(borrow)] Cow<'a, str>),
    Many(#[serde(borrow)] Vec<Cow<'a, str>>),
}

#[derive(Deserialize)]
struct Kubernetes<'a> {
    #[serde(borrow, default)]
    namespace: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    pod: Option<Object<'a>>,
    #[serde(borrow, default)]
    serviceaccount: Option<Object<'a>>,
    #[serde(borrow, default)]
    node: Option<Object<'a>>,
}

#[derive(Deserialize)]
struct Object<'a> {
    #[serde(borrow, default)]
    name: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    uid: Option<Cow<'a, str>>,
}

/// The identity that a token claims.
pub(super) fn claims(content: &[u8]) -> Result<Vec<Identity>, &'static str> {
    let token = public::text(content)?.trim();
    if token.len() > MAX_TOKEN_BYTES {
        return Err("too large");
    }
    let mut parts = token.split('.');
    let (Some(_header), Some(payload), Some(_signature), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err("not a JSON web token");
    };
    let payload = URL_SAFE_NO_PAD
        .decode(payload)
        .map(Zeroizing::new)
        .map_err(|_| "not a JSON web token")?;
    let claims: Claims<'_> = serde_json::from_slice(&payload).map_err(|_| "the claims cannot be read")?;
    let subject = claims
        .sub
        .as_deref()
        .filter(|sub| !sub.is_empty())
        .ok_or("the token names no subject")?;
    let is_service_account = subject.starts_with("system:serviceaccount:");
    let kind = if is_service_account {
        "kubernetes_service_account"
    } else {
        "jwt_subject"
    };
    let mut identity = public::identity(kind, subject, "jwt_claim", "sub, not verified");
    describe(&mut identity, &claims);
    Ok(vec![identity])
}

fn describe(identity: &mut Identity, claims: &Claims<'_>) {
    attribute(identity, "issuer", claims.iss.as_deref());
    let audience = match &claims.aud {
        Some(Audience::One(one)) => Some(one.to_string()),
        Some(Audience::Many(many)) => Some(many.join(" ")),
        None => None,
    };
    attribute(identity, "audience", audience.as_deref());
    attribute(identity, "expiry", claims.exp.as_ref().and_then(time).as_deref());
    attribute(
        identity,
        "issued_at",
        claims.iat.as_ref().and_then(time).as_deref(),
    );
    let Some(kubernetes) = &claims.kubernetes else {
        return;
    };
    attribute(identity, "namespace", kubernetes.namespace.as_deref());
    for (object, name, uid) in [
        (&kubernetes.pod, "pod", "pod_uid"),
        (
            &kubernetes.serviceaccount,
            "service_account",
            "service_account_uid",
        ),
        (&kubernetes.node, "node", "node_uid"),
    ] {
        attribute(
            identity,
            name,
            object.as_ref().and_then(|object| object.name.as_deref()),
        );
        attribute(
            identity,
            uid,
            object.as_ref().and_then(|object| object.uid.as_deref()),
        );
    }
}

/// RFC 7519 allows a fraction of a second; no issuer that we know uses it, so it is not read.
fn time(seconds: &Number) -> Option<String> {
    public::time_of_seconds(seconds.as_i64()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(claims: &str) -> String {
        format!("eyJhbGciOiJSUzI1NiJ9.{}.c2VjcmV0", URL_SAFE_NO_PAD.encode(claims))
    }

    #[test]
    fn a_service_account_is_told_from_its_token() {
        let token = token(
            r#"{"iss":"https://kubernetes.default.svc","sub":"system:serviceaccount:payments:api","aud":["a","b"],
                "exp":1763766000,"iat":0,"kubernetes.io":{"namespace":"payments","pod":{"name":"api-1","uid":"u"},
                "serviceaccount":{"name":"api"}},"other":{"deep":[1]}}"#,
        );
        let found = claims(format!("{token}\n").as_bytes()).expect("identities");
        let identity = &found[0];
        assert_eq!(identity.kind, "kubernetes_service_account");
        assert_eq!(identity.id, "system:serviceaccount:payments:api");
        for (name, value) in [
            ("issuer", "https://kubernetes.default.svc"),
            ("audience", "a b"),
            ("expiry", "2025-11-21T23:00:00.000000000Z"),
            ("issued_at", "1970-01-01T00:00:00.000000000Z"),
            ("namespace", "payments"),
            ("pod", "api-1"),
            ("pod_uid", "u"),
            ("service_account", "api"),
        ] {
            assert_eq!(
                identity.attributes.get(name).map(String::as_str),
                Some(value),
                "{name}"
            );
        }
    }

    #[test]
    fn another_subject_is_a_subject() {
        let found =
            claims(token(r#"{"sub":"spiffe://a/b","aud":"x","exp":1e3}"#).as_bytes()).expect("identities");
        assert_eq!(
            (found[0].kind.as_str(), found[0].id.as_str()),
            ("jwt_subject", "spiffe://a/b")
        );
        assert_eq!(found[0].attributes.get("expiry"), None);
    }

    #[test]
    fn what_is_no_token_says_so() {
        for (content, expected) in [
            ("".to_owned(), "not a JSON web token"),
            ("a.b".to_owned(), "not a JSON web token"),
            ("a.b.c.d".to_owned(), "not a JSON web token"),
            ("a.!.c".to_owned(), "not a JSON web token"),
            (token("1"), "the claims cannot be read"),
            (token(r#"{"sub":1}"#), "the claims cannot be read"),
            (token("{}"), "the token names no subject"),
            (token(&"[".repeat(40_000)), "the claims cannot be read"),
            ("a".repeat(70_000), "too large"),
        ] {
            assert_eq!(claims(content.as_bytes()), Err(expected));
        }
        assert_eq!(claims(b"a.\xff.c"), Err("not UTF-8"));
    }
}
