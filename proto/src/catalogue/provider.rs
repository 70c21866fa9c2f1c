//! Identity providers by the names that clients ask TLS, QUIC and DNS for.

use super::{
    errors::{Faults, Sort},
    parse::{ID_WORD, Place, RawProvider, is_word},
};

const NAMES: &str = "names";
/// RFC 1035, 2.3.4.
const NAME_MAX: usize = 253;
const LABEL_MAX: usize = 63;

/// Names of one provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Provider {
    pub(super) id: String,
    pub(super) provider: String,
    pub(super) names: Vec<String>,
}

impl Provider {
    /// Its name, e.g. `aws-sts`.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Whose it is, e.g. `aws`.
    #[must_use]
    pub fn provider(&self) -> &str {
        &self.provider
    }

    /// Host names in lower case; a label `*` stands for one label or more.
    #[must_use]
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Whether a host, in lower case and without a dot at its end, is one of it.
    #[must_use]
    pub fn has(&self, host: &str) -> bool {
        self.names.iter().any(|name| fits(name, host))
    }

    /// What is written as one; nothing where something of it is wrong.
    pub(super) fn parse(place: &Place<'_>, raw: &RawProvider, faults: &mut Faults) -> Option<Self> {
        let before = faults.count();
        let mut wrong = |at, field, reason| faults.push(place.wrong(at, &raw.id, field, reason));
        if !is_word(raw.id.get_ref(), '-') {
            wrong(&raw.id, "id", ID_WORD);
        }
        if !is_word(raw.provider.get_ref(), '_') {
            wrong(
                &raw.provider,
                "provider",
                "a provider's name has only a-z, 0-9 and _",
            );
        }
        if raw.names.is_empty() {
            wrong(&raw.id, NAMES, "it has none: write at least one");
        }
        for name in &raw.names {
            if let Err(reason) = check(name.get_ref()) {
                wrong(name, NAMES, reason);
            }
        }
        if faults.count() > before {
            faults.refuse(Sort::Entry, raw.id.get_ref());
            return None;
        }
        Some(Self {
            id: raw.id.get_ref().clone(),
            provider: raw.provider.get_ref().clone(),
            names: raw.names.iter().map(|name| name.get_ref().clone()).collect(),
        })
    }
}

fn check(name: &str) -> Result<(), &'static str> {
    let is_label = |label: &str| {
        (1..=LABEL_MAX).contains(&label.len())
            && (label == "*"
                || label
                    .chars()
                    .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_'))
    };
    if name.len() > NAME_MAX || !name.split('.').all(is_label) {
        return Err("a name is a host name in lower case, in which a label may be * for one or more");
    }
    if name.split('.').filter(|label| *label == "*").count() > 1 {
        return Err("a name has one * at most");
    }
    if name.split('.').filter(|label| *label != "*").count() < 2 {
        return Err("a name has two labels besides *, for it would stand for a whole domain of the top");
    }
    Ok(())
}

/// The labels before the `*`, and those behind it.
fn fits(name: &str, host: &str) -> bool {
    let Some((before, behind)) = name.split_once('*') else {
        return name == host;
    };
    host.strip_prefix(before)
        .and_then(|rest| rest.strip_suffix(behind))
        .is_some_and(|between| between.split('.').all(|label| !label.is_empty()))
}

#[cfg(test)]
mod tests {
    use super::{super::Catalogue, *};

    #[test]
    fn names_fit_by_labels() {
        for (name, host, does) in [
            ("sts.amazonaws.com", "sts.amazonaws.com", true),
            ("sts.*.amazonaws.com", "sts.eu-west-1.amazonaws.com", true),
            ("sts.*.amazonaws.com", "sts.amazonaws.com", false),
            ("sts.*.amazonaws.com", "sts..amazonaws.com", false),
            ("sts.*.amazonaws.com", "xsts.eu.amazonaws.com", false),
            ("*.okta.com", "a.b.okta.com", true),
            ("*.okta.com", "okta.com", false),
            ("*.okta.com", ".okta.com", false),
            ("*.okta.com", "evilokta.com", false),
            ("*.okta.com", "a.okta.com.evil", false),
        ] {
            assert_eq!(fits(name, host), does, "{name} {host}");
        }
    }

    #[test]
    fn what_is_wrong_is_said_with_its_place() {
        for (names, reason) in [
            ("[]", "it has none"),
            ("[\"Sts.com\"]", "lower case"),
            ("[\"*.com\"]", "two labels"),
            ("[\"a.*.b.*.c\"]", "one *"),
            ("[\"a..b\"]", "host name"),
        ] {
            let text = format!("version = 1\n[[provider]]\nid = \"x\"\nprovider = \"p\"\nnames = {names}\n");
            let told = Catalogue::parse(&text, "own.toml")
                .expect_err("wrong")
                .to_string();
            assert!(told.starts_with("own.toml:"), "{told}");
            assert!(told.contains(reason), "{told}");
        }
    }
}
