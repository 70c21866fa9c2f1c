//! Credentials that are never a file: a program is started with them.

use super::errors::{Faults, Sort};
use super::parse::{ID_WORD, Place, RawStart, is_word};

/// Longest name: what is longer is not looked at.
const NAME_MAX: usize = 63;

const VARIABLES: &str = "variables";
const OPTIONS: &str = "options";
const HEADERS: &str = "headers";

/// Names of one sort, in environments and arguments, behind which credentials of one kind stand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Start {
    pub(super) id: String,
    pub(super) kind: String,
    pub(super) variables: Vec<String>,
    pub(super) options: Vec<String>,
    pub(super) headers: Vec<String>,
    pub(super) only_with_password: bool,
}

impl Start {
    /// Its name, e.g. `aws-environment`.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The kind of credential, e.g. `aws_access_key`.
    #[must_use]
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// Names of variables. One that begins with `*_` stands for all whose last word, or last two, are these.
    #[must_use]
    pub fn variables(&self) -> &[String] {
        &self.variables
    }

    /// Options as they are given, with their dashes.
    #[must_use]
    pub fn options(&self) -> &[String] {
        &self.options
    }

    /// Names of HTTP headers, in lower case.
    #[must_use]
    pub fn headers(&self) -> &[String] {
        &self.headers
    }

    /// Whether the value is a credential only where it is a URL with a password.
    #[must_use]
    pub fn needs_password(&self) -> bool {
        self.only_with_password
    }

    /// Whether a variable of this name is meant.
    #[must_use]
    pub fn names_variable(&self, name: &str) -> bool {
        self.variables.iter().any(|own| match own.strip_prefix("*_") {
            None => own == name,
            Some(words) => name
                .strip_suffix(words)
                .is_some_and(|before| before.is_empty() || before.ends_with('_')),
        })
    }

    /// What is written as one; nothing where something of it is wrong.
    pub(super) fn parse(place: &Place<'_>, raw: &RawStart, faults: &mut Faults) -> Option<Self> {
        let before = faults.count();
        let mut wrong = |at, field, reason| faults.push(place.wrong(at, &raw.id, field, reason));
        if !is_word(raw.id.get_ref(), '-') {
            wrong(&raw.id, "id", ID_WORD);
        }
        if raw.variables.is_empty() && raw.options.is_empty() && raw.headers.is_empty() {
            wrong(&raw.id, VARIABLES, "it has no variables, options or headers");
        }
        let lists = [
            (VARIABLES, &raw.variables),
            (OPTIONS, &raw.options),
            (HEADERS, &raw.headers),
        ];
        for (field, names) in lists {
            for long in names.iter().filter(|name| name.get_ref().len() > NAME_MAX) {
                wrong(long, field, "a name has 63 bytes at most");
            }
        }
        for variable in &raw.variables {
            let name = variable.get_ref();
            let words = name.strip_prefix("*_");
            let plain = words.unwrap_or(name);
            let is_plain = plain.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
            if plain.is_empty() || !is_plain {
                wrong(
                    variable,
                    VARIABLES,
                    "a variable's name has only letters, digits and _, and *_ at its beginning where that is meant",
                );
            } else if words.is_some_and(|words| words.matches('_').count() > 1 || words.starts_with('_')) {
                wrong(
                    variable,
                    VARIABLES,
                    "behind *_ stand one word or two, as in *_TOKEN and *_API_KEY",
                );
            }
        }
        for option in &raw.options {
            let name = option.get_ref();
            if !name.starts_with('-') || name.contains(|c: char| c == '=' || c.is_whitespace()) {
                wrong(
                    option,
                    OPTIONS,
                    "an option begins with - and ends before its value",
                );
            }
        }
        for header in &raw.headers {
            if !is_word(header.get_ref(), '-') {
                wrong(
                    header,
                    HEADERS,
                    "a header's name is in lower case, without its colon",
                );
            }
        }
        if faults.count() > before {
            faults.refuse(Sort::Entry, raw.id.get_ref());
            return None;
        }
        let all = |names: &[toml::Spanned<String>]| names.iter().map(|name| name.get_ref().clone()).collect();
        Some(Self {
            id: raw.id.get_ref().clone(),
            kind: raw.kind.get_ref().clone(),
            variables: all(&raw.variables),
            options: all(&raw.options),
            headers: all(&raw.headers),
            only_with_password: raw.only_with_password,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::Catalogue;

    const KIND: &str =
        "version = 1\n[[kind]]\nname = \"k\"\ntitle = \"K\"\n[[start]]\nid = \"s\"\nkind = \"k\"\n";

    fn refused(names: &str) -> String {
        Catalogue::parse(&format!("{KIND}{names}\n"), "own.toml")
            .expect_err("wrong")
            .to_string()
    }

    #[test]
    fn names_are_read_and_matched() {
        let text = format!(
            "{KIND}variables = [\"AWS_SECRET_ACCESS_KEY\", \"*_TOKEN\", \"*_API_KEY\"]\noptions = [\"--token\"]\n"
        );
        let catalogue = Catalogue::parse(&text, "own.toml").expect("valid");
        let [start] = catalogue.starts() else {
            panic!("{:?}", catalogue.starts())
        };
        for name in [
            "AWS_SECRET_ACCESS_KEY",
            "GITHUB_TOKEN",
            "TOKEN",
            "MY_OWN_API_KEY",
            "API_KEY",
        ] {
            assert!(start.names_variable(name), "{name}");
        }
        for name in [
            "AWS_SECRET_ACCESS",
            "GITHUBTOKEN",
            "GITHUB_TOKENS",
            "KEY",
            "OWN_KEY",
            "",
        ] {
            assert!(!start.names_variable(name), "{name}");
        }
    }

    #[test]
    fn what_is_wrong_is_said_with_its_place() {
        for (names, reason) in [
            ("", "it has no variables, options or headers"),
            ("variables = [\"A B\"]", "only letters, digits"),
            ("variables = [\"*\"]", "only letters, digits"),
            ("variables = [\"*_A_B_C\"]", "one word or two"),
            ("options = [\"token\"]", "begins with -"),
            ("options = [\"--token=\"]", "ends before its value"),
            ("headers = [\"Authorization\"]", "lower case"),
        ] {
            let told = refused(names);
            assert!(
                told.starts_with("own.toml:6:") || told.starts_with("own.toml:8:"),
                "{told}"
            );
            assert!(told.contains(reason), "{told}");
        }
        assert!(refused(&format!("variables = [\"{}\"]", "A".repeat(64))).contains("63 bytes"));
    }
}
