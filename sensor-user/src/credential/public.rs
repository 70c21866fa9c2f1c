//! How a piece of a file becomes a public attribute: only in a checked form, and bounded.

use std::collections::BTreeMap;

use claviger_proto::v1::{Evidence, Identity};

/// Bytes of an attribute, at most; the rest is cut and marked.
const MAX_ATTRIBUTE_BYTES: usize = 512;

/// The content as text.
pub(super) fn text(content: &[u8]) -> Result<&str, &'static str> {
    std::str::from_utf8(content).map_err(|_| "not UTF-8")
}

/// An identity that rests on the content of the file. `source` says which part of it, e.g. `profile`.
pub(super) fn identity(kind: &str, id: &str, source: &str, value: &str) -> Identity {
    Identity {
        kind: kind.to_owned(),
        id: clean(id),
        attributes: BTreeMap::new(),
        evidence: vec![Evidence {
            source: source.to_owned(),
            value: clean(value),
        }],
    }
}

/// Sets an attribute, if there is a value.
pub(super) fn attribute(identity: &mut Identity, name: &str, value: Option<&str>) {
    if let Some(value) = value.filter(|value| !value.is_empty()) {
        identity.attributes.insert(name.to_owned(), clean(value));
    }
}

/// A text that can be shown: control characters escaped, and no longer than 512 bytes.
pub(super) fn clean(text: &str) -> String {
    let mut out = String::with_capacity(text.len().min(MAX_ATTRIBUTE_BYTES));
    for c in text.chars() {
        if out.len() + c.len_utf8() > MAX_ATTRIBUTE_BYTES {
            out.push('…');
            break;
        }
        if c.is_control() {
            out.extend(c.escape_default());
        } else {
            out.push(c);
        }
    }
    out
}

/// A time in the form of RFC 3339, or in the nearly same one that AWS writes. Anything else is nothing.
pub(super) fn time(text: &str) -> Option<&str> {
    let allowed = |c: char| c.is_ascii_digit() || "-:.+TZUC".contains(c);
    let looks_like_one =
        text.len() <= 40 && text.starts_with(|c: char| c.is_ascii_digit()) && text.contains('T');
    (looks_like_one && text.chars().all(allowed)).then_some(text)
}

/// Seconds since 1970 as RFC 3339; nothing where no calendar holds it.
pub(super) fn time_of_seconds(seconds: i64) -> Option<String> {
    claviger_proto::json::rfc3339(&prost_types::Timestamp { seconds, nanos: 0 })
}

/// The host, and port if any, of a URL; whatever else stands in it (a password, a path, a query) is left out. Where a password is not
/// escaped as it should be, it can look like a host to us, so a URL in doubt has none.
pub(super) fn host(url: &str) -> Option<&str> {
    let (_, rest) = url.split_once("://")?;
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, behind) = rest.split_at(end);
    let host_and_port = authority.rsplit('@').next()?;
    let (host, port) = match host_and_port.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, port),
        _ => (host_and_port, ""),
    };
    let is_address = host.starts_with('[') && host.ends_with(']');
    let allowed =
        |c: char| c.is_ascii_alphanumeric() || ".-_".contains(c) || (is_address && ":[]".contains(c));
    let is_host = !host.is_empty() && host.len() <= 253 && host.chars().all(allowed);
    let is_port = port.len() <= 5 && port.bytes().all(|byte| byte.is_ascii_digit());
    (is_host && is_port && !behind.contains('@')).then_some(host_and_port)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_all_that_is_left_of_a_url() {
        for (url, expected) in [
            ("https://k8s.example.com:6443", Some("k8s.example.com:6443")),
            (
                "https://user:pass@k8s.example.com/path?token=x#y",
                Some("k8s.example.com"),
            ),
            ("https://a@b@[fd00::1]:6443/", Some("[fd00::1]:6443")),
            ("https://[fd00::1]", Some("[fd00::1]")),
            ("https://user:pa/ss@k8s.example.com/", None),
            ("https://pa/ss@k8s.example.com/", None),
            ("https://user:pass", None),
            ("https://a:b:c", None),
            ("https://", None),
            ("k8s.example.com", None),
            ("https://a b/", None),
        ] {
            assert_eq!(host(url), expected, "{url}");
        }
    }

    #[test]
    fn an_attribute_is_bounded_and_shows_no_control_characters() {
        assert_eq!(clean("a\u{1b}[31m\nb"), "a\\u{1b}[31m\\nb");
        assert!(clean(&"ä".repeat(10_000)).len() <= MAX_ATTRIBUTE_BYTES + '…'.len_utf8());
    }

    #[test]
    fn only_a_time_is_a_time() {
        for (text, expected) in [
            ("2026-11-21T23:00:00Z", true),
            ("2026-11-21T23:00:00UTC", true),
            ("2026-11-21T23:00:00+00:00", true),
            ("wJalrXUtnFEMI", false),
            ("", false),
        ] {
            assert_eq!(time(text).is_some(), expected, "{text}");
        }
    }
}
