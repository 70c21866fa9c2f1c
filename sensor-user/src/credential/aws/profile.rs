//! What one profile stands for.

use claviger_proto::v1::Identity;

use super::ini::Section;
use super::key_id;
use crate::credential::public::{self, attribute};

/// The identities of a profile: its key id, the roles it says to assume, or only its name where its credentials come from elsewhere.
pub(super) fn identities(section: &Section<'_>) -> Vec<Identity> {
    let name = section
        .name
        .strip_prefix("profile ")
        .unwrap_or(section.name)
        .trim();
    if section.name.starts_with("sso-session ") || section.name.starts_with("services ") {
        return Vec::new();
    }
    let mut found = Vec::new();
    found.extend(
        section
            .get("aws_access_key_id")
            .and_then(|id| key_id::identity(id, "profile", name)),
    );
    found.extend(section.get("role_arn").filter(|arn| is_arn(arn)).map(|arn| {
        let mut role = public::identity("aws_role_arn", arn, "profile", name);
        attribute(&mut role, "account", arn.split(':').nth(4));
        role
    }));
    found.extend(sso_role(section, name));
    let comes_from_elsewhere = [
        "credential_process",
        "sso_session",
        "source_profile",
        "web_identity_token_file",
    ];
    if found.is_empty() && comes_from_elsewhere.iter().any(|key| section.get(key).is_some()) {
        found.push(public::identity("aws_profile", name, "profile", name));
    }
    for identity in &mut found {
        attribute(identity, "profile", Some(name));
        for key in ["sso_session", "source_profile"] {
            attribute(identity, key, section.get(key).filter(|value| is_name(value)));
        }
        // Its command line may carry secrets.
        attribute(
            identity,
            "credential_process",
            section.get("credential_process").map(|_| "present"),
        );
    }
    found
}

fn sso_role(section: &Section<'_>, profile: &str) -> Option<Identity> {
    let account = section
        .get("sso_account_id")
        .filter(|id| id.len() == 12 && id.bytes().all(|b| b.is_ascii_digit()))?;
    let role = section.get("sso_role_name").filter(|role| is_name(role))?;
    let mut identity = public::identity("aws_sso_role", &format!("{account}/{role}"), "profile", profile);
    attribute(&mut identity, "account", Some(account));
    attribute(
        &mut identity,
        "sso_start_host",
        section.get("sso_start_url").and_then(public::host),
    );
    Some(identity)
}

fn is_arn(text: &str) -> bool {
    text.starts_with("arn:")
        && text.len() <= 256
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || ":/+=,.@_-".contains(c))
}

/// Names of roles, sessions and profiles: at most 64 of these characters by AWS's own rule.
fn is_name(text: &str) -> bool {
    text.len() <= 64
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "+=,.@_- ".contains(c))
}

#[cfg(test)]
mod tests;
