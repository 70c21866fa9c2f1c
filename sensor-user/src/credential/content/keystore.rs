//! Keystores by their first bytes: PKCS #12 (RFC 7292), and those of Java.

/// The version and the beginning of the content that every PKCS #12 has: `INTEGER 3`, `SEQUENCE`.
const PKCS12_VERSION: [u8; 4] = [0x02, 0x01, 0x03, 0x30];

pub(super) fn is_one(content: &[u8]) -> bool {
    let is_java = [[0xfe, 0xed, 0xfe, 0xed], [0xce, 0xce, 0xce, 0xce]]
        .iter()
        .any(|magic| content.starts_with(magic));
    is_java || is_pkcs12(content)
}

fn is_pkcs12(content: &[u8]) -> bool {
    let [0x30, length, rest @ ..] = content else {
        return false;
    };
    // Long form: so many bytes of length follow. 0x80 is BER's open length.
    let skipped = match length {
        0x80..=0x84 => usize::from(length & 0x7f),
        0x85.. => return false,
        _ => 0,
    };
    rest.get(skipped..)
        .is_some_and(|body| body.starts_with(&PKCS12_VERSION))
}
