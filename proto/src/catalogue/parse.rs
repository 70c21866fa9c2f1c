//! From text to a catalogue: first what stands there, then what it means.

use std::net::SocketAddr;

use serde::{Deserialize, de::DeserializeOwned};
use toml::Spanned;
use toml::de::{DeTable, DeValue, ValueDeserializer};

use super::content::Content;
use super::entry::{Catalogue, Entry, Kind, Operation};
use super::error::CatalogueError;
use super::errors::{CatalogueErrors, ERRORS_MAX, Faults, Sort};
use super::layer::Layer;
use super::pattern::{Anchor, Pattern};

const GLOBS: &str = "globs";
const READERS: &str = "usual_readers";
/// The field of what is known by where it is.
pub(super) const ADDRESSES: &str = "addresses";

/// What a file can have in it.
const ALL: [Sort; 2] = [Sort::Entry, Sort::Kind];

/// What an id is made of.
pub(super) const ID_WORD: &str = "an entry's id has only a-z, 0-9 and -";

/// What a person wrote.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Raw {
    version: Spanned<i64>,
    #[serde(default)]
    pub(super) remove: Vec<Spanned<String>>,
    #[serde(default)]
    pub(super) enable: Vec<Spanned<String>>,
    #[serde(default)]
    pub(super) kind: Vec<RawKind>,
    #[serde(default)]
    pub(super) entry: Vec<RawEntry>,
    #[serde(default)]
    pub(super) start: Vec<RawStart>,
    #[serde(default)]
    pub(super) endpoint: Vec<RawEndpoint>,
    #[serde(default)]
    pub(super) provider: Vec<RawProvider>,
    #[serde(default)]
    pub(super) socket: Vec<RawSocket>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawKind {
    pub(super) name: Spanned<String>,
    pub(super) title: Option<String>,
    #[serde(default)]
    usual_readers: Vec<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawEntry {
    pub(super) id: Spanned<String>,
    pub(super) kind: Spanned<String>,
    pub(super) globs: Vec<Spanned<String>>,
    #[serde(default)]
    except: Vec<Spanned<String>>,
    #[serde(default = "only_read")]
    operations: Vec<RawOperation>,
    #[serde(default)]
    opt_in: bool,
    #[serde(default)]
    content: Vec<Content>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawStart {
    pub(super) id: Spanned<String>,
    pub(super) kind: Spanned<String>,
    #[serde(default)]
    pub(super) variables: Vec<Spanned<String>>,
    #[serde(default)]
    pub(super) options: Vec<Spanned<String>>,
    #[serde(default)]
    pub(super) headers: Vec<Spanned<String>>,
    #[serde(default)]
    pub(super) only_with_password: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawEndpoint {
    pub(super) id: Spanned<String>,
    pub(super) provider: Spanned<String>,
    pub(super) addresses: Vec<Spanned<String>>,
    #[serde(default)]
    pub(super) names: Vec<Spanned<String>>,
    pub(super) calls: Vec<RawCall>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawCall {
    pub(super) path: Spanned<String>,
    pub(super) method: Option<Spanned<String>>,
    pub(super) header: Option<Spanned<String>>,
    #[serde(default)]
    pub(super) query: Vec<Spanned<String>>,
    #[serde(default = "yes")]
    pub(super) for_token: bool,
}

fn yes() -> bool {
    true
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawProvider {
    pub(super) id: Spanned<String>,
    pub(super) provider: Spanned<String>,
    #[serde(default)]
    pub(super) names: Vec<Spanned<String>>,
    #[serde(default)]
    pub(super) addresses: Vec<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawSocket {
    pub(super) id: Spanned<String>,
    pub(super) kind: Spanned<String>,
    #[serde(default)]
    pub(super) globs: Vec<Spanned<String>>,
    #[serde(default)]
    pub(super) abstract_names: Vec<Spanned<String>>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum RawOperation {
    Read,
    Write,
}

fn only_read() -> Vec<RawOperation> {
    vec![RawOperation::Read]
}

impl Catalogue {
    /// Reads a catalogue. `source_name` is the file's name, for errors only.
    ///
    /// # Errors
    /// [`CatalogueErrors`].
    pub fn parse(text: &str, source_name: &str) -> Result<Self, CatalogueErrors> {
        let name = source_name;
        let (catalogue, _) = Self::default().with(&[Layer { name, text }])?;
        Ok(catalogue)
    }
}

/// Knows the text, to say where something stands.
pub(super) struct Place<'a> {
    pub(super) text: &'a str,
    pub(super) file: &'a str,
}

impl Place<'_> {
    /// What stands in the text, but for what cannot be read; nothing where none of it can.
    pub(super) fn raw(&self, faults: &mut Faults) -> Option<Raw> {
        let raw: Raw = match toml::from_str(self.text) {
            Ok(raw) => raw,
            Err(error) => {
                let before = faults.count();
                let readable = self.readable(faults);
                if faults.count() == before {
                    faults.push_nameless(self.syntax(None, &error), &ALL);
                }
                readable?
            }
        };
        if *raw.version.get_ref() != 1 {
            let (line, column) = self.at(raw.version.span().start);
            let version = CatalogueError::Version {
                file: self.file.to_owned(),
                line,
                column,
                found: *raw.version.get_ref(),
            };
            faults.push_nameless(version, &ALL);
            return None;
        }
        Some(raw)
    }

    /// The same of a text that cannot be read as a whole: item by item, to find all that is wrong.
    fn readable(&self, faults: &mut Faults) -> Option<Raw> {
        let (table, errors) = DeTable::parse_recoverable(self.text);
        if !errors.is_empty() {
            for error in &errors {
                faults.push_nameless(self.syntax(None, error), &ALL);
            }
            return None;
        }
        let span = table.span();
        let mut table = table.into_inner();
        let kind = self.items(&mut table, ("kind", Sort::Kind), faults);
        let entry = self.items(&mut table, ("entry", Sort::Entry), faults);
        let start = self.items(&mut table, ("start", Sort::Entry), faults);
        let endpoint = self.items(&mut table, ("endpoint", Sort::Entry), faults);
        let provider = self.items(&mut table, ("provider", Sort::Entry), faults);
        let socket = self.items(&mut table, ("socket", Sort::Entry), faults);
        let rest = ValueDeserializer::from(Spanned::new(span, DeValue::Table(table)));
        match Raw::deserialize(rest) {
            Ok(rest) => Some(Raw {
                kind,
                entry,
                start,
                endpoint,
                provider,
                socket,
                ..rest
            }),
            Err(error) => {
                faults.push_nameless(self.syntax(None, &error), &ALL);
                None
            }
        }
    }

    /// Looks at the id of an entry, and at the name of whose it is.
    pub(super) fn named(&self, id: &Spanned<String>, provider: &Spanned<String>, faults: &mut Faults) {
        if !is_word(id.get_ref(), '-') {
            faults.push(self.wrong(id, id, "id", ID_WORD));
        }
        if !is_word(provider.get_ref(), '_') {
            let reason = "a provider's name has only a-z, 0-9 and _";
            faults.push(self.wrong(provider, id, "provider", reason));
        }
    }

    /// Reads addresses.
    pub(super) fn addresses(
        &self,
        id: &Spanned<String>,
        raw: &[Spanned<String>],
        faults: &mut Faults,
    ) -> Vec<SocketAddr> {
        let mut addresses = Vec::with_capacity(raw.len());
        for text in raw {
            match text.get_ref().parse() {
                Ok(address) => addresses.push(address),
                Err(_) => {
                    let reason = "an address is ADDRESS:PORT, of IPv6 [ADDRESS]:PORT";
                    faults.push(self.wrong(text, id, ADDRESSES, reason));
                }
            }
        }
        addresses
    }

    /// Takes the items of a list out of a table; what is no list of tables stays there.
    fn items<T: DeserializeOwned>(
        &self,
        table: &mut DeTable<'_>,
        (name, sort): (&str, Sort),
        faults: &mut Faults,
    ) -> Vec<T> {
        if !table.get(name).is_some_and(|value| value.get_ref().is_array()) {
            return Vec::new();
        }
        let Some(DeValue::Array(items)) = table.remove(name).map(Spanned::into_inner) else {
            return Vec::new();
        };
        items
            .into_iter()
            .filter_map(|item| self.item(item, sort, faults))
            .collect()
    }

    /// An item, without the keys of it that cannot be read; nothing where it cannot do without them.
    fn item<T: DeserializeOwned>(
        &self,
        mut item: Spanned<DeValue<'_>>,
        sort: Sort,
        faults: &mut Faults,
    ) -> Option<T> {
        let mut is_whole = true;
        // Of more there is no end to be waited for.
        for _ in 0..=ERRORS_MAX {
            let error = match T::deserialize(ValueDeserializer::from(item.clone())) {
                Ok(item) => return Some(item),
                Err(error) => error,
            };
            let key = take_out(&mut item, error.span().map_or(0, |span| span.start));
            // That it misses what was taken out of it is no fault of its own.
            if key.is_some() || is_whole {
                faults.push_nameless(self.syntax(key.as_deref(), &error), &[sort]);
            }
            key?;
            is_whole = false;
        }
        None
    }

    /// What the reader says, and of which key.
    fn syntax(&self, key: Option<&str>, error: &toml::de::Error) -> CatalogueError {
        // The lines of a message of several are hints; the first says it.
        let message = error.message().lines().next().unwrap_or("not TOML");
        let (line, column) = self.at(error.span().map_or(0, |span| span.start));
        CatalogueError::Syntax {
            file: self.file.to_owned(),
            line,
            column,
            message: match (key, error.span().and_then(|span| self.text.get(span))) {
                (Some(key), _) => format!("{key}: {message}"),
                // The parser does not say which.
                (None, Some(twice)) if message == "duplicate key" => format!("{message} `{}`", twice.trim()),
                (None, _) => message.to_owned(),
            },
        }
    }

    pub(super) fn kind(&self, raw: &RawKind, faults: &mut Faults) -> Option<Kind> {
        let before = faults.count();
        if !is_word(raw.name.get_ref(), '_') {
            let reason = "a kind's name has only a-z, 0-9 and _";
            faults.push(self.wrong(&raw.name, &raw.name, "name", reason));
        }
        let mut reader_patterns = Vec::new();
        for text in &raw.usual_readers {
            let Some(patterns) = self.pattern(text, &raw.name, READERS, faults) else {
                continue;
            };
            if patterns.iter().any(|pattern| pattern.anchor() != Anchor::Root) {
                let reason = "a usual reader is an absolute path, beginning with /";
                faults.push(self.wrong(text, &raw.name, READERS, reason));
            }
            reader_patterns.extend(patterns);
        }
        if faults.count() > before {
            faults.refuse(Sort::Kind, raw.name.get_ref());
            return None;
        }
        Some(Kind {
            name: raw.name.get_ref().clone(),
            title: raw.title.clone().unwrap_or_default(),
            usual_readers: raw
                .usual_readers
                .iter()
                .map(|text| text.get_ref().clone())
                .collect(),
            reader_patterns,
        })
    }

    pub(super) fn entry(&self, raw: &RawEntry, faults: &mut Faults) -> Option<Entry> {
        let before = faults.count();
        if !is_word(raw.id.get_ref(), '-') {
            faults.push(self.wrong(&raw.id, &raw.id, "id", ID_WORD));
        }
        if raw.globs.is_empty() {
            let reason = "it has none: write at least one pattern";
            faults.push(self.wrong(&raw.id, &raw.id, GLOBS, reason));
        }
        if raw.operations.is_empty() {
            let reason = "it has none: write \"read\", \"write\" or both, or leave the key out for \"read\"";
            faults.push(self.wrong(&raw.id, &raw.id, "operations", reason));
        }
        let operations = raw.operations.iter().map(|operation| match operation {
            RawOperation::Read => Operation::Read,
            RawOperation::Write => Operation::Write,
        });
        let mut patterns = |texts: &[Spanned<String>], field| -> Vec<Pattern> {
            let each = texts
                .iter()
                .filter_map(|text| self.pattern(text, &raw.id, field, faults));
            each.flatten().collect()
        };
        let (globs, exceptions) = (patterns(&raw.globs, GLOBS), patterns(&raw.except, "except"));
        if faults.count() > before {
            faults.refuse(Sort::Entry, raw.id.get_ref());
            return None;
        }
        Some(Entry {
            id: raw.id.get_ref().clone(),
            kind: raw.kind.get_ref().clone(),
            patterns: globs,
            exceptions,
            operations: operations.collect(),
            opt_in: raw.opt_in,
            content: raw.content.clone(),
        })
    }

    /// The patterns that a text stands for; nothing where it is wrong.
    pub(super) fn pattern(
        &self,
        text: &Spanned<String>,
        owner: &Spanned<String>,
        field: &'static str,
        faults: &mut Faults,
    ) -> Option<Vec<Pattern>> {
        match Pattern::parse(text.get_ref()) {
            Ok(patterns) => Some(patterns),
            Err(source) => {
                let (line, column) = self.at(text.span().start);
                faults.push(CatalogueError::Pattern {
                    file: self.file.to_owned(),
                    line,
                    column,
                    owner: owner.get_ref().clone(),
                    field,
                    pattern: text.get_ref().clone(),
                    source,
                });
                None
            }
        }
    }

    pub(super) fn wrong(
        &self,
        at: &Spanned<String>,
        owner: &Spanned<String>,
        field: &'static str,
        reason: &'static str,
    ) -> CatalogueError {
        let (line, column) = self.at(at.span().start);
        CatalogueError::Item {
            file: self.file.to_owned(),
            line,
            column,
            owner: owner.get_ref().clone(),
            field,
            reason,
        }
    }

    /// Line and column of an offset, both from 1, the column in characters.
    pub(super) fn at(&self, offset: usize) -> (usize, usize) {
        let before = self.text.get(..offset.min(self.text.len())).unwrap_or(self.text);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        (
            before.matches('\n').count() + 1,
            before[line_start..].chars().count() + 1,
        )
    }
}

/// Takes the key out of a table whose name or value stands at an offset, and names it.
fn take_out(item: &mut Spanned<DeValue<'_>>, offset: usize) -> Option<String> {
    let DeValue::Table(table) = item.get_mut() else {
        return None;
    };
    let at = table
        .iter()
        .find(|(name, value)| name.span().contains(&offset) || value.span().contains(&offset));
    let name = at.map(|(name, _)| name.get_ref().to_string())?;
    table.remove(name.as_str()).map(|_| name)
}

pub(super) fn is_word(text: &str, between: char) -> bool {
    !text.is_empty()
        && text
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == between)
}

#[cfg(test)]
mod tests;
