//! SSH private keys: which public key they belong to, by the fingerprint that `ssh-keygen -l` prints.
//!
//! OpenSSH's own form carries the public half in clear, also where the private half is encrypted. The older PEM forms carry none that could
//! be named without touching the private numbers, so only their sort is told, as the reason for not knowing more.

mod openssh;
mod pem;

use std::path::Path;

use claviger_proto::v1::Identity;

use super::public;

/// The public half of a private key file.
pub(super) fn key(path: &Path, content: &[u8]) -> Result<Vec<Identity>, &'static str> {
    let text = public::text(content)?;
    if path.extension().is_some_and(|extension| extension == "pub") {
        return Err("a public key, not a private one");
    }
    let (label, body) = pem::block(text).ok_or("not a private key in a known form")?;
    if label == "OPENSSH PRIVATE KEY" {
        openssh::identity(body).map(|one| vec![one])
    } else {
        Err(pem::sort(label, body))
    }
}

#[cfg(test)]
mod tests;
