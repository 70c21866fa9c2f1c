//! The key file of a Google Cloud service account. The key in it is stepped over, not read.

use std::borrow::Cow;

use serde::{Deserialize, de::IgnoredAny};

/// Bytes of such a file, at most. Real ones have about 2,400.
const MAX_BYTES: usize = 64 * 1024;

#[derive(Deserialize)]
struct KeyFile<'a> {
    #[serde(borrow, rename = "type")]
    sort: Cow<'a, str>,
    #[serde(rename = "client_email")]
    _client_email: IgnoredAny,
    #[serde(rename = "private_key")]
    _private_key: IgnoredAny,
}

pub(super) fn is_service_account(content: &[u8]) -> bool {
    // The cheap look first: most JSON on a host is none.
    content.len() <= MAX_BYTES
        && content.trim_ascii_start().starts_with(b"{")
        && serde_json::from_slice::<KeyFile<'_>>(content).is_ok_and(|file| file.sort == "service_account")
}
