//! The frame of PEM files (RFC 7468 and the older one with headers).

/// The first block of a text: its label and what stands between its two lines.
pub(super) fn block(text: &str) -> Option<(&str, &str)> {
    let (_, rest) = text.split_once("-----BEGIN ")?;
    let (label, rest) = rest.split_once("-----")?;
    let (body, rest) = rest.split_once("-----END ")?;
    let is_closed = rest
        .strip_prefix(label)
        .is_some_and(|rest| rest.starts_with("-----"));
    is_closed.then_some((label, body))
}

/// What can be said about a key that is not in OpenSSH's form.
pub(super) fn sort(label: &str, body: &str) -> &'static str {
    let encrypted = body.contains("Proc-Type: 4,ENCRYPTED");
    match (label, encrypted) {
        ("RSA PRIVATE KEY", false) => {
            "an unencrypted RSA key in PEM form, which does not name its public half"
        }
        ("RSA PRIVATE KEY", true) => "an encrypted RSA key in PEM form, which does not name its public half",
        ("EC PRIVATE KEY", false) => "an unencrypted EC key in PEM form, which does not name its public half",
        ("EC PRIVATE KEY", true) => "an encrypted EC key in PEM form, which does not name its public half",
        ("DSA PRIVATE KEY", false) => {
            "an unencrypted DSA key in PEM form, which does not name its public half"
        }
        ("DSA PRIVATE KEY", true) => "an encrypted DSA key in PEM form, which does not name its public half",
        ("PRIVATE KEY", _) => "an unencrypted PKCS #8 key, which does not name its public half",
        ("ENCRYPTED PRIVATE KEY", _) => "an encrypted PKCS #8 key, which does not name its public half",
        _ => "not a private key in a known form",
    }
}
