//! A file that holds one JSON web token and nothing else. The signature is not decoded.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, de::IgnoredAny};
use zeroize::Zeroizing;

/// Bytes of a token, at most. Real ones have about 1,000 to 3,000.
const MAX_BYTES: usize = 64 * 1024;

#[derive(Deserialize)]
struct Header {
    #[serde(rename = "alg")]
    _algorithm: IgnoredAny,
}

/// Any object of claims, none of them looked at.
#[derive(Deserialize)]
struct Claims {}

pub(super) fn is_jwt(content: &[u8]) -> bool {
    let token = content.trim_ascii();
    // `ey` is how the base64 of `{"` begins.
    if token.len() > MAX_BYTES || !token.starts_with(b"ey") {
        return false;
    }
    let mut parts = token.split(|byte| *byte == b'.');
    let (Some(header), Some(claims), Some(signature), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return false;
    };
    let is_text = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    signature.iter().all(is_text) && is::<Header>(header) && is::<Claims>(claims)
}

fn is<T: serde::de::DeserializeOwned>(part: &[u8]) -> bool {
    let Ok(json) = URL_SAFE_NO_PAD.decode(part).map(Zeroizing::new) else {
        return false;
    };
    json.starts_with(b"{") && serde_json::from_slice::<T>(&json).is_ok()
}
