//! kubeconfig: which user of which cluster, and how the user proves it; never with what.
//!
//! The YAML reader's time grows with the square of the nesting (a megabyte of `{a: ` keeps it busy for minutes), so what no tool writes into
//! a kubeconfig is refused before it is asked: anchors, by which a small file means a large one, and deep nesting.

use std::collections::BTreeMap;

use claviger_proto::v1::Identity;
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::public::{self, attribute};

#[derive(Default, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
struct Config {
    current_context: Option<String>,
    contexts: Option<Vec<NamedContext>>,
    clusters: Option<Vec<NamedCluster>>,
    users: Option<Vec<NamedUser>>,
}

#[derive(Deserialize)]
struct NamedContext {
    name: String,
    #[serde(default)]
    context: Context,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Context {
    cluster: Option<String>,
    user: Option<String>,
    namespace: Option<String>,
}

#[derive(Deserialize)]
struct NamedCluster {
    name: String,
    #[serde(default)]
    cluster: Cluster,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Cluster {
    server: Option<String>,
}

#[derive(Deserialize)]
struct NamedUser {
    name: String,
    #[serde(default)]
    user: User,
}

/// How a user proves who it is. Of a secret only its being there is kept: [`IgnoredAny`] holds nothing.
#[derive(Default, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
struct User {
    token: Option<IgnoredAny>,
    #[serde(rename = "tokenFile")]
    token_file: Option<IgnoredAny>,
    client_key: Option<IgnoredAny>,
    client_key_data: Option<IgnoredAny>,
    client_certificate: Option<IgnoredAny>,
    client_certificate_data: Option<IgnoredAny>,
    password: Option<IgnoredAny>,
    auth_provider: Option<IgnoredAny>,
    exec: Option<Exec>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Exec {
    command: Option<String>,
}

/// `[` and `{` in a file, at most: about 700 contexts where the file is JSON, and no bound for any other.
const MAX_FLOW_OPENERS: usize = 4096;
/// `- ` and `? ` behind each other at the beginning of a line, at most.
const MAX_COMPACT_NESTING: usize = 16;

/// The users of the clusters that the file has contexts for.
pub(super) fn users(content: &[u8]) -> Result<Vec<Identity>, &'static str> {
    let text = public::text(content)?;
    if has_anchor(text) {
        return Err("has YAML anchors");
    }
    if is_deep(text) {
        return Err("nested deeper than a kubeconfig is");
    }
    // The reader's own message may quote the content, so it goes no further.
    let config: Config = yaml_serde::from_str(text).map_err(|_| "not a kubeconfig")?;
    let servers: BTreeMap<&str, &str> = config
        .clusters
        .iter()
        .flatten()
        .filter_map(|named| {
            Some((
                named.name.as_str(),
                public::host(named.cluster.server.as_deref()?)?,
            ))
        })
        .collect();
    let users: BTreeMap<&str, &User> = config
        .users
        .iter()
        .flatten()
        .map(|named| (named.name.as_str(), &named.user))
        .collect();

    let mut found = Vec::new();
    for named in config.contexts.iter().flatten() {
        let (Some(user), Some(cluster)) = (&named.context.user, &named.context.cluster) else {
            continue;
        };
        let mut identity = public::identity(
            "kubeconfig_user",
            &format!("{user}@{cluster}"),
            "context",
            &named.name,
        );
        let is_current = config.current_context.as_ref() == Some(&named.name);
        for (name, value) in [
            ("context", Some(named.name.as_str())),
            ("current", is_current.then_some("true")),
            ("user", Some(user)),
            ("cluster", Some(cluster)),
            ("namespace", named.context.namespace.as_deref()),
            ("server", servers.get(cluster.as_str()).copied()),
        ] {
            attribute(&mut identity, name, value);
        }
        if let Some(user) = users.get(user.as_str()) {
            attribute(&mut identity, "authentication", Some(&user.ways().join(" ")));
            let command = user.exec.as_ref().and_then(|exec| exec.command.as_deref());
            attribute(
                &mut identity,
                "exec_command",
                command.filter(|command| !command.contains(char::is_whitespace)),
            );
        }
        found.push(identity);
    }
    if found.is_empty() {
        Err("no context with a user and a cluster")
    } else {
        Ok(found)
    }
}

impl User {
    fn ways(&self) -> Vec<&'static str> {
        let has_certificate = [
            &self.client_certificate,
            &self.client_certificate_data,
            &self.client_key,
            &self.client_key_data,
        ]
        .iter()
        .any(|one| one.is_some());
        [
            (self.token.is_some(), "token"),
            (self.token_file.is_some(), "token_file"),
            (has_certificate, "client_certificate"),
            (self.password.is_some(), "password"),
            (self.auth_provider.is_some(), "auth_provider"),
            (self.exec.is_some(), "exec"),
        ]
        .into_iter()
        .filter_map(|(is_there, word)| is_there.then_some(word))
        .collect()
    }
}

/// Whether an anchor (`&name`) can stand anywhere. Says yes to some texts that have none, as `a: "b &c"`.
fn has_anchor(text: &str) -> bool {
    text.match_indices('&').any(|(at, _)| {
        text[..at]
            .chars()
            .next_back()
            .is_none_or(|before| before.is_whitespace() || "[{,:?-!".contains(before))
    })
}

/// Whether it can be nested so deep that reading it takes long. Brackets within strings count too.
fn is_deep(text: &str) -> bool {
    let openers = text.bytes().filter(|byte| matches!(byte, b'[' | b'{')).count();
    let compact = |line: &str| {
        let mut indicators = line.split([' ', '\t']).filter(|piece| !piece.is_empty());
        indicators
            .by_ref()
            .take_while(|piece| matches!(*piece, "-" | "?" | ":"))
            .count()
    };
    openers > MAX_FLOW_OPENERS || text.lines().any(|line| compact(line) > MAX_COMPACT_NESTING)
}

#[cfg(test)]
mod tests;
