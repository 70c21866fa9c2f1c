//! No crate that `deny.toml` bans is in any lock file: another crypto backend, a C library for TLS.
//!
//! `cargo deny` checks this too, and more, where it is installed; this holds everywhere.

use toml::{Table, Value};

use super::Problem;
use super::manifests::parse;
use super::tree::Tree;

const RULES: &str = "deny.toml";

pub(super) fn check(tree: &Tree) -> Vec<Problem> {
    let rules = match parse(tree, RULES) {
        Ok(rules) => rules,
        Err(problem) => return vec![problem],
    };
    let banned = banned(&rules);
    if banned.is_empty() {
        return vec![Problem::error(RULES, 0, "bans no crate: [bans] deny is not read")];
    }
    let mut problems = Vec::new();
    for path in tree.files().keys().filter(|path| path.ends_with("Cargo.lock")) {
        match parse(tree, path) {
            Ok(lock) => problems.extend(check_lock(path, &lock, &banned)),
            Err(problem) => problems.push(problem),
        }
    }
    problems
}

/// Names of banned crates, each with the reason.
fn banned(rules: &Table) -> Vec<(&str, &str)> {
    let deny = rules.get("bans").and_then(|bans| bans.get("deny"));
    let entries = deny.and_then(Value::as_array).into_iter().flatten();
    entries
        .filter_map(|entry| {
            let reason = entry.get("reason").and_then(Value::as_str).unwrap_or("banned");
            Some((entry.get("crate")?.as_str()?, reason))
        })
        .collect()
}

fn check_lock(path: &str, lock: &Table, banned: &[(&str, &str)]) -> Vec<Problem> {
    let packages = lock
        .get("package")
        .and_then(Value::as_array)
        .into_iter()
        .flatten();
    packages
        .filter_map(|package| package.get("name")?.as_str())
        .filter_map(|name| banned.iter().find(|(banned, _)| *banned == name))
        .map(|(name, reason)| Problem::error(path, 0, format!("{name} may not come in: {reason}")))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_crypto_backend_is_refused() {
        let rules: Table = "[bans]\ndeny = [{ crate = \"aws-lc-rs\", reason = \"one backend\" }]"
            .parse()
            .expect("TOML");
        let banned = banned(&rules);
        let lock = |name: &str| -> Table { format!("[[package]]\nname = \"{name}\"").parse().expect("TOML") };
        assert_eq!(
            check_lock("Cargo.lock", &lock("aws-lc-rs"), &banned),
            [Problem::error(
                "Cargo.lock",
                0,
                "aws-lc-rs may not come in: one backend"
            )]
        );
        assert_eq!(check_lock("Cargo.lock", &lock("ring"), &banned), []);
    }
}
