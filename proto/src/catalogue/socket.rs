//! Local sockets of programs that hold keys or hand out credentials.

use toml::Spanned;

use super::{
    errors::{Faults, Sort},
    parse::{ID_WORD, Place, RawSocket, is_word},
    pattern::{Anchor, Pattern},
};

const GLOBS: &str = "globs";
const NAMES: &str = "abstract_names";

/// Sockets of one sort.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Socket {
    pub(super) id: String,
    pub(super) kind: String,
    pub(super) patterns: Vec<Pattern>,
    /// Of names in the abstract namespace, as of a path below the root.
    pub(super) names: Vec<Pattern>,
}

impl Socket {
    /// Its name, e.g. `openssh-agent`.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// What answers there, e.g. `ssh_agent`.
    #[must_use]
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// Where, with all alternatives written out. What begins at a home may lie in any directory: whose home it is does not matter to what answers there.
    #[must_use]
    pub fn patterns(&self) -> &[Pattern] {
        &self.patterns
    }

    /// Names in the abstract namespace, each as a path below the root.
    #[must_use]
    pub fn abstract_names(&self) -> &[Pattern] {
        &self.names
    }

    /// Whether a socket at this absolute path is one of them.
    #[must_use]
    pub fn has_path(&self, path: &[u8]) -> bool {
        let Some(below) = path.strip_prefix(b"/") else {
            return false;
        };
        let names: Vec<&[u8]> = below.split(|byte| *byte == b'/').collect();
        self.patterns.iter().any(|pattern| match pattern.anchor() {
            Anchor::Home => (0..names.len()).any(|at| pattern.matches_names(&names[at..])),
            Anchor::Root | Anchor::Anywhere => pattern.matches(path),
        })
    }

    /// Whether a name in the abstract namespace, without its zero, is one of them.
    #[must_use]
    pub fn has_abstract_name(&self, name: &[u8]) -> bool {
        let path = [b"/", name.strip_prefix(b"/").unwrap_or(name)].concat();
        self.names.iter().any(|pattern| pattern.matches(&path))
    }

    /// What is written as one; nothing where something of it is wrong.
    pub(super) fn parse(place: &Place<'_>, raw: &RawSocket, faults: &mut Faults) -> Option<Self> {
        let before = faults.count();
        let mut wrong = |at, field, reason| faults.push(place.wrong(at, &raw.id, field, reason));
        if !is_word(raw.id.get_ref(), '-') {
            wrong(&raw.id, "id", ID_WORD);
        }
        if !is_word(raw.kind.get_ref(), '_') {
            wrong(
                &raw.kind,
                "kind",
                "what answers there is named with a-z, 0-9 and _",
            );
        }
        if raw.globs.is_empty() && raw.abstract_names.is_empty() {
            wrong(
                &raw.id,
                GLOBS,
                "it has neither these nor abstract_names: write at least one",
            );
        }
        let mut names = Vec::new();
        for name in &raw.abstract_names {
            match abstract_name(name) {
                Ok(parsed) => names.extend(parsed),
                Err(reason) => wrong(name, NAMES, reason),
            }
        }
        let globs = raw.globs.iter();
        let patterns: Vec<_> = globs
            .filter_map(|glob| place.pattern(glob, &raw.id, GLOBS, faults))
            .flatten()
            .collect();
        if faults.count() > before {
            faults.refuse(Sort::Entry, raw.id.get_ref());
            return None;
        }
        Some(Self {
            id: raw.id.get_ref().clone(),
            kind: raw.kind.get_ref().clone(),
            patterns,
            names,
        })
    }
}

fn abstract_name(name: &Spanned<String>) -> Result<Vec<Pattern>, &'static str> {
    let Some(name) = name.get_ref().strip_prefix('@') else {
        return Err("a name in the abstract namespace is written with @ before it");
    };
    let below = name.strip_prefix('/').unwrap_or(name);
    Pattern::parse(&format!("/{below}"))
        .map_err(|_| "it is no pattern: a name, in which * stands for any bytes but / and ? for one")
}

#[cfg(test)]
mod tests {
    use super::super::Catalogue;

    const HEAD: &str = "version = 1\n[[socket]]\nid = \"s\"\nkind = \"ssh_agent\"\n";

    #[test]
    fn sockets_are_known_by_path_and_by_name() {
        let text = format!(
            "{HEAD}globs = [\"/tmp/ssh-*/agent.*\", \"~/.gnupg/S.gpg-agent{{,.ssh}}\"]\nabstract_names = [\"@/tmp/agent-*\", \"@plain\"]\n"
        );
        let catalogue = Catalogue::parse(&text, "own.toml").expect("valid");
        let socket = &catalogue.sockets()[0];
        for (path, is) in [
            ("/tmp/ssh-AbC/agent.12", true),
            ("/tmp/ssh-AbC/other", false),
            ("/home/a/.gnupg/S.gpg-agent", true),
            ("/.gnupg/S.gpg-agent.ssh", true),
            ("/home/a/.gnupg/S.gpg-agent.extra", false),
            ("plain", false),
        ] {
            assert_eq!(socket.has_path(path.as_bytes()), is, "{path}");
        }
        for (name, is) in [
            ("plain", true),
            ("/tmp/agent-7", true),
            ("/tmp/other", false),
            ("other", false),
        ] {
            assert_eq!(socket.has_abstract_name(name.as_bytes()), is, "{name}");
        }
    }

    #[test]
    fn what_is_wrong_is_said_with_its_place() {
        for (text, reason) in [
            ("", "neither"),
            ("globs = [\"relative\"]", "has to begin with"),
            ("abstract_names = [\"plain\"]", "with @"),
        ] {
            let told = Catalogue::parse(&format!("{HEAD}{text}\n"), "own.toml")
                .expect_err("wrong")
                .to_string();
            assert!(told.starts_with("own.toml:"), "{told}");
            assert!(told.contains(reason), "{told}");
        }
    }
}
