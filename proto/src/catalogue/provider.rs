//! Identity providers by the names that clients ask TLS, QUIC and DNS for, and, of those that have none, by their addresses.

use std::net::SocketAddr;

use super::{
    errors::{Faults, Sort},
    parse::{Place, RawProvider},
};

const NAMES: &str = "names";
/// RFC 1035, 2.3.4.
const NAME_MAX: usize = 253;
const LABEL_MAX: usize = 63;

/// Names and addresses of one provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Provider {
    pub(super) id: String,
    pub(super) provider: String,
    pub(super) names: Vec<String>,
    pub(super) addresses: Vec<SocketAddr>,
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

    /// Where it is, also for clients that ask for no name of it.
    #[must_use]
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Whether a host, in lower case and without a dot at its end, is one of it.
    #[must_use]
    pub fn has(&self, host: &str) -> bool {
        self.names.iter().any(|name| fits(name, host))
    }

    /// What is written as one; nothing where something of it is wrong.
    pub(super) fn parse(place: &Place<'_>, raw: &RawProvider, faults: &mut Faults) -> Option<Self> {
        let before = faults.count();
        place.named(&raw.id, &raw.provider, faults);
        let mut wrong = |at, field, reason| faults.push(place.wrong(at, &raw.id, field, reason));
        if raw.names.is_empty() && raw.addresses.is_empty() {
            wrong(
                &raw.id,
                NAMES,
                "it has none, nor `addresses`: write at least one of either",
            );
        }
        for name in &raw.names {
            if let Err(reason) = check(name.get_ref()) {
                wrong(name, NAMES, reason);
            }
        }
        let addresses = place.addresses(&raw.id, &raw.addresses, faults);
        if faults.count() > before {
            faults.refuse(Sort::Entry, raw.id.get_ref());
            return None;
        }
        Some(Self {
            id: raw.id.get_ref().clone(),
            provider: raw.provider.get_ref().clone(),
            names: raw.names.iter().map(|name| name.get_ref().clone()).collect(),
            addresses,
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
    fn one_without_a_name_is_known_by_its_address() {
        let text = "version = 1\n[[provider]]\nid = \"api\"\nprovider = \"kubernetes\"\naddresses = [\"10.0.0.1:6443\"]\n";
        let catalogue = Catalogue::parse(text, "own.toml").expect("right");
        let at = |address: &str| {
            let found = catalogue.provider_at(address.parse().expect("an address"));
            found.map(Provider::id)
        };
        assert_eq!((at("10.0.0.1:6443"), at("10.0.0.1:443")), (Some("api"), None));
        let told = Catalogue::parse(&text.replace(":6443", ""), "own.toml").expect_err("wrong");
        assert!(told.to_string().contains("ADDRESS:PORT"), "{told}");
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
