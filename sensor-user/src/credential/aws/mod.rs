//! AWS: the credentials and configuration files, and the caches of the command line tool.
//!
//! Both files are INI with one section for each profile, and either may hold what the other usually does, so both are read alike:
//! an access key id, a role to assume, an IAM Identity Center role, or only the fact that the profile gets its credentials elsewhere.
//! Values that are secrets (`aws_secret_access_key`, `aws_session_token`, the command line of `credential_process`) are never taken.

mod cache;
mod ini;
mod key_id;
mod profile;

use claviger_proto::v1::Identity;

use super::public;

/// What a credentials or configuration file says, or a file of `~/.aws/cli/cache`.
pub(super) fn profiles_or_cache(content: &[u8]) -> Result<Vec<Identity>, &'static str> {
    let text = public::text(content)?;
    if text.trim_start().starts_with('{') {
        return cache::role_credentials(text);
    }
    let found: Vec<Identity> = ini::sections(text).iter().flat_map(profile::identities).collect();
    if found.is_empty() {
        Err("no access key id")
    } else {
        Ok(found)
    }
}

/// What a file of `~/.aws/sso/cache` says.
pub(super) fn sso_cache(content: &[u8]) -> Result<Vec<Identity>, &'static str> {
    cache::sso_token(public::text(content)?)
}
