//! Endpoints on the network that hand out tokens in clear: where they are, and which requests are for a token.

use std::{fmt, net::SocketAddr};

use toml::Spanned;

use super::{
    errors::{Faults, Sort},
    parse::{ADDRESSES, Place, RawCall, RawEndpoint, is_word},
};

const PATH: &str = "calls.path";
const PARTS_MAX: usize = 32;

/// An endpoint that hands out tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    pub(super) id: String,
    pub(super) provider: String,
    pub(super) addresses: Vec<SocketAddr>,
    pub(super) names: Vec<String>,
    pub(super) calls: Vec<Call>,
}

/// A request that such an endpoint takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    method: Option<String>,
    parts: Vec<Part>,
    header: Option<String>,
    query: Vec<String>,
    for_token: bool,
}

/// What stands between two slashes of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    /// This.
    Name(String),
    /// Anything; it is told, for it is public.
    Kept(String),
    /// Anything; it is not told.
    Hidden,
    /// Anything from here on, slashes too, or nothing; it is not told.
    Rest,
}

impl Endpoint {
    /// Its name, e.g. `aws-instance-metadata`.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Whose it is, e.g. `aws`.
    #[must_use]
    pub fn provider(&self) -> &str {
        &self.provider
    }

    /// Where it is.
    #[must_use]
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// What it is called, in lower case, by those who ask a proxy for it.
    #[must_use]
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// What it is asked for, the first that fits.
    #[must_use]
    pub fn calls(&self) -> &[Call] {
        &self.calls
    }

    /// What is written as one; nothing where something of it is wrong.
    pub(super) fn parse(place: &Place<'_>, raw: &RawEndpoint, faults: &mut Faults) -> Option<Self> {
        let before = faults.count();
        place.named(&raw.id, &raw.provider, faults);
        let mut wrong = |at, field, reason| faults.push(place.wrong(at, &raw.id, field, reason));
        if raw.addresses.is_empty() {
            wrong(&raw.id, ADDRESSES, "it has none: write at least one");
        }
        if raw.calls.is_empty() {
            wrong(&raw.id, "calls", "it has none: write at least one");
        }
        let addresses = place.addresses(&raw.id, &raw.addresses, faults);
        let mut wrong = |at, field, reason| faults.push(place.wrong(at, &raw.id, field, reason));
        let names = raw.names.iter().map(|name| name.get_ref().clone()).collect();
        for name in &raw.names {
            if !is_host(name.get_ref()) {
                wrong(name, "names", "a name is a host name in lower case");
            }
        }
        let mut calls = Vec::with_capacity(raw.calls.len());
        for call in &raw.calls {
            match Call::parse(call) {
                Ok(call) => calls.push(call),
                Err((at, field, reason)) => wrong(at, field, reason),
            }
        }
        if faults.count() > before {
            faults.refuse(Sort::Entry, raw.id.get_ref());
            return None;
        }
        Some(Self {
            id: raw.id.get_ref().clone(),
            provider: raw.provider.get_ref().clone(),
            addresses,
            names,
            calls,
        })
    }
}

/// Of a name in DNS (RFC 1035, 2.3.4).
const NAME_MAX: usize = 253;
const LABEL_MAX: usize = 63;

fn is_host(name: &str) -> bool {
    let is_letter = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let is_label = |label: &str| (1..=LABEL_MAX).contains(&label.len()) && label.chars().all(is_letter);
    name.len() <= NAME_MAX && name.split('.').all(is_label)
}

impl Call {
    fn parse(raw: &RawCall) -> Result<Self, (&Spanned<String>, &'static str, &'static str)> {
        let text = raw.path.get_ref();
        let Some(below) = text.strip_prefix('/') else {
            return Err((&raw.path, PATH, "a path begins with /"));
        };
        let names: Vec<&str> = below.split('/').collect();
        if names.len() > PARTS_MAX {
            return Err((&raw.path, PATH, "a path has 32 parts at most"));
        }
        let mut parts = Vec::with_capacity(names.len());
        for (at, name) in names.iter().enumerate() {
            let kept = name.strip_prefix('{').and_then(|name| name.strip_suffix('}'));
            parts.push(match (*name, kept) {
                ("**", _) if at + 1 == names.len() => Part::Rest,
                ("**", _) => return Err((&raw.path, PATH, "** stands at the end of a path")),
                ("*", _) => Part::Hidden,
                (_, Some(word)) if is_word(word, '_') => Part::Kept(word.to_owned()),
                (name, _) if name.contains(['*', '{', '}', '?', '#']) => {
                    return Err((
                        &raw.path,
                        PATH,
                        "a part is a name, * for one that is not told, {word} for one that is, or ** at the end",
                    ));
                }
                (name, _) => Part::Name(name.to_owned()),
            });
        }
        if let Some(method) = &raw.method
            && (method.get_ref().is_empty() || !method.get_ref().chars().all(|c| c.is_ascii_uppercase()))
        {
            return Err((method, "calls.method", "a method is in upper case, as in \"GET\""));
        }
        if let Some(header) = &raw.header
            && !is_word(header.get_ref(), '-')
        {
            return Err((
                header,
                "calls.header",
                "a header's name is in lower case, without its colon",
            ));
        }
        let text = |text: &Spanned<String>| text.get_ref().clone();
        Ok(Self {
            method: raw.method.as_ref().map(text),
            parts,
            header: raw.header.as_ref().map(text),
            query: raw.query.iter().map(text).collect(),
            for_token: raw.for_token,
        })
    }

    /// Its method, where only one is meant.
    #[must_use]
    pub fn method(&self) -> Option<&str> {
        self.method.as_deref()
    }

    /// A header that it must have, in lower case; where several services share an address, it tells them apart.
    #[must_use]
    pub fn header(&self) -> Option<&str> {
        self.header.as_deref()
    }

    /// Whether it is for a token, or for something else that the endpoint knows.
    #[must_use]
    pub fn is_for_token(&self) -> bool {
        self.for_token
    }

    /// What of a request's target may be told, where the target is of this call: the parts that the catalogue names or keeps, and of its query the keys that
    /// it names. `target` is a path with or without a query.
    #[must_use]
    pub fn class_of(&self, target: &str) -> Option<String> {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let query = query.split_once('#').map_or(query, |(query, _)| query);
        let path = path.split_once('#').map_or(path, |(path, _)| path);
        let mut names = path.strip_prefix('/')?.split('/');
        let mut class = String::new();
        for part in &self.parts {
            let name = names.next();
            let shown = match (part, name) {
                (Part::Rest, None) => break,
                (Part::Rest, Some(_)) => {
                    names.by_ref().for_each(drop);
                    "**"
                }
                (Part::Name(own), Some(name)) if own == name => name,
                // A directory's listing names it with a slash behind, and is another call.
                (Part::Kept(_), Some(name)) if is_public(name) => name,
                (Part::Kept(_) | Part::Hidden, Some(name)) if !name.is_empty() => "*",
                _ => return None,
            };
            class.push('/');
            class.push_str(shown);
        }
        if names.next().is_some() {
            return None;
        }
        let mut separator = '?';
        for pair in query.split('&') {
            let Some((key, value)) = pair.split_once('=') else {
                continue;
            };
            if self.query.iter().any(|own| own == key) && is_public(value) {
                class.push(separator);
                class.push_str(pair);
                separator = '&';
            }
        }
        Some(class)
    }
}

impl fmt::Display for Call {
    /// As it is written, all that it says.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ", self.method.as_deref().unwrap_or("*"))?;
        for part in &self.parts {
            match part {
                Part::Name(name) => write!(f, "/{name}"),
                Part::Kept(word) => write!(f, "/{{{word}}}"),
                Part::Hidden => f.write_str("/*"),
                Part::Rest => f.write_str("/**"),
            }?;
        }
        for (at, key) in self.query.iter().enumerate() {
            write!(f, "{}{key}", if at == 0 { '?' } else { '&' })?;
        }
        if let Some(header) = &self.header {
            write!(f, " {header}")?;
        }
        f.write_str(if self.for_token { "" } else { " (for no token)" })
    }
}

/// Longest part of a path or a query that is told.
const SHOWN_MAX: usize = 256;

/// Whether a name that others chose may be told as it is: a role, an account, an audience. What is longer, or has other characters in it, is none.
fn is_public(name: &str) -> bool {
    (1..=SHOWN_MAX).contains(&name.len())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-._~+=,@:%/".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::super::Catalogue;

    const HEAD: &str =
        "version = 1\n[[endpoint]]\nid = \"e\"\nprovider = \"p\"\naddresses = [\"10.0.0.1:80\"]\n";

    fn classes(call: &str, target: &str) -> Option<String> {
        let text = format!("{HEAD}calls = [{{ {call} }}]\n");
        let catalogue = Catalogue::parse(&text, "own.toml").expect("valid");
        catalogue.endpoints()[0].calls()[0].class_of(target)
    }

    #[test]
    fn a_path_is_told_without_what_is_not_public() {
        for (path, target, class) in [
            (
                "/latest/api/token",
                "/latest/api/token",
                Some("/latest/api/token"),
            ),
            ("/a/{role}", "/a/billing", Some("/a/billing")),
            ("/a/{role}", "/a/", None),
            ("/a/", "/a/", Some("/a/")),
            ("/a/{role}", "/a/b/c", None),
            ("/a/*/b", "/a/secret/b", Some("/a/*/b")),
            ("/a/**", "/a/secret/b", Some("/a/**")),
            ("/a/**", "/a", Some("/a")),
            ("/a/{role}", "/a/x\u{7f}", Some("/a/*")),
            ("/a", "/a?key=secret", Some("/a")),
            ("/a", "http://elsewhere/a", None),
        ] {
            let call = format!("path = \"{path}\"");
            assert_eq!(classes(&call, target).as_deref(), class, "{path} of {target}");
        }
    }

    #[test]
    fn of_a_query_only_what_is_named_is_told() {
        let call = "path = \"/token\", query = [\"resource\", \"audience\"]";
        assert_eq!(
            classes(
                call,
                "/token?api-version=1&resource=https://vault.azure.net&secret=x&audience=a"
            )
            .as_deref(),
            Some("/token?resource=https://vault.azure.net&audience=a")
        );
    }

    #[test]
    fn what_is_wrong_is_said_with_its_place() {
        for (text, reason) in [
            ("calls = []", "it has none"),
            ("calls = [{ path = \"a\" }]", "begins with /"),
            ("calls = [{ path = \"/**/a\" }]", "at the end"),
            ("calls = [{ path = \"/{A}\" }]", "a part is a name"),
            ("calls = [{ path = \"/a\", method = \"get\" }]", "upper case"),
            ("calls = [{ path = \"/a\", header = \"Metadata\" }]", "lower case"),
        ] {
            let told = Catalogue::parse(&format!("{HEAD}{text}\n"), "own.toml")
                .expect_err("wrong")
                .to_string();
            assert!(told.starts_with("own.toml:"), "{told}");
            assert!(told.contains(reason), "{told}");
        }
        let text = HEAD.replace("10.0.0.1:80", "10.0.0.1");
        let told = Catalogue::parse(&format!("{text}calls = [{{ path = \"/a\" }}]\n"), "own.toml")
            .expect_err("wrong")
            .to_string();
        assert!(told.contains("ADDRESS:PORT"), "{told}");
    }
}
