//! From the content of a credential file to the identities it stands for.

use std::path::Path;

use claviger_proto::v1::Identity;

use super::{aws, google, jwt, kubeconfig, ssh};

/// Bytes of a credential file that are looked at. A bigger file is none that we know.
pub const MAX_CONTENT_BYTES: usize = 1024 * 1024;
/// Identities that one file is reported to stand for, at most.
pub const MAX_IDENTITIES: usize = 256;

/// What a credential file says in public.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Parsed {
    /// The identities that it may stand for.
    pub identities: Vec<Identity>,
    /// Why there is none; nothing where there is one. A fixed word of ours: no content can get into it.
    pub unknown_reason: Option<&'static str>,
}

/// The identities that the content of a credential of this kind stands for. `path` only helps to tell formats of one kind apart.
#[must_use]
pub fn identities(kind: &str, path: &Path, content: &[u8]) -> Parsed {
    if content.len() > MAX_CONTENT_BYTES {
        return Parsed::unknown("too large");
    }
    let found = match kind {
        "aws_access_key" => aws::profiles_or_cache(content),
        "aws_sso_token" => aws::sso_cache(content),
        "aws_web_identity_token"
        | "azure_federated_token"
        | "eks_pod_identity_token"
        | "gcp_federated_token"
        | "kubernetes_service_account_token" => jwt::claims(content),
        "gcp_service_account_key" => google::service_account(content),
        "kubeconfig" => kubeconfig::users(content),
        "ssh_host_key" | "ssh_private_key" => ssh::key(path, content),
        _ => Err("no parser for this kind yet"),
    };
    found.map_or_else(Parsed::unknown, Parsed::known)
}

impl Parsed {
    /// No identity, for this reason.
    #[must_use]
    pub fn unknown(reason: &'static str) -> Self {
        Self {
            identities: Vec::new(),
            unknown_reason: Some(reason),
        }
    }

    fn known(mut identities: Vec<Identity>) -> Self {
        let omitted = identities.len().saturating_sub(MAX_IDENTITIES);
        identities.truncate(MAX_IDENTITIES);
        if let (Some(last), true) = (identities.last_mut(), omitted > 0) {
            last.attributes
                .insert("omitted_identities".to_owned(), omitted.to_string());
        }
        let unknown_reason = identities.is_empty().then_some("it names no identity");
        Self {
            identities,
            unknown_reason,
        }
    }
}

#[cfg(test)]
mod tests;
