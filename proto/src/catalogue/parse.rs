//! From text to a catalogue: first what stands there, then what it means.

use std::collections::HashMap;

use serde::Deserialize;
use toml::Spanned;

use super::entry::{Catalogue, Entry, Kind, Operation};
use super::error::CatalogueError;
use super::pattern::{Anchor, Pattern};

/// What a person wrote.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    version: Spanned<i64>,
    #[serde(default)]
    kind: Vec<RawKind>,
    #[serde(default)]
    entry: Vec<RawEntry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawKind {
    name: Spanned<String>,
    title: String,
    #[serde(default)]
    usual_readers: Vec<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawEntry {
    id: Spanned<String>,
    kind: Spanned<String>,
    globs: Vec<Spanned<String>>,
    #[serde(default)]
    except: Vec<Spanned<String>>,
    #[serde(default = "only_read")]
    operations: Vec<RawOperation>,
    #[serde(default)]
    opt_in: bool,
    #[serde(default)]
    needs_content: bool,
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
    pub fn parse(text: &str, source_name: &str) -> Result<Self, CatalogueError> {
        let place = Place {
            text,
            file: source_name,
        };
        let raw: Raw = toml::from_str(text).map_err(|error| CatalogueError::Syntax {
            file: source_name.to_owned(),
            line: place.line(error.span().map_or(0, |span| span.start)),
            message: error.message().to_owned(),
        })?;
        if *raw.version.get_ref() != 1 {
            return Err(CatalogueError::Version {
                file: source_name.to_owned(),
                line: place.line(raw.version.span().start),
                found: *raw.version.get_ref(),
            });
        }
        let mut kinds = HashMap::new();
        for raw in &raw.kind {
            let kind = place.kind(raw)?;
            if kinds.insert(kind.name.clone(), kind).is_some() {
                return Err(place.wrong(&raw.name, &raw.name, "there is another kind of this name"));
            }
        }
        let mut entries: Vec<Entry> = Vec::with_capacity(raw.entry.len());
        for raw in &raw.entry {
            let entry = place.entry(raw)?;
            if !kinds.contains_key(&entry.kind) {
                return Err(place.wrong(
                    &raw.kind,
                    &raw.id,
                    "its kind is not known; add a [[kind]] of that name",
                ));
            }
            if entries.iter().any(|other| other.id == entry.id) {
                return Err(place.wrong(&raw.id, &raw.id, "there is another entry with this id"));
            }
            entries.push(entry);
        }
        Ok(Self { entries, kinds })
    }
}

/// Knows the text, to say where something stands.
struct Place<'a> {
    text: &'a str,
    file: &'a str,
}

impl Place<'_> {
    fn kind(&self, raw: &RawKind) -> Result<Kind, CatalogueError> {
        if !is_word(raw.name.get_ref(), '_') {
            return Err(self.wrong(&raw.name, &raw.name, "a kind's name has only a-z, 0-9 and _"));
        }
        let reader_patterns = self.patterns(&raw.usual_readers, &raw.name)?;
        for (text, patterns) in raw.usual_readers.iter().zip(&reader_patterns) {
            if patterns.iter().any(|pattern| pattern.anchor() != Anchor::Root) {
                return Err(self.wrong(
                    text,
                    &raw.name,
                    "a usual reader is an absolute path, beginning with /",
                ));
            }
        }
        Ok(Kind {
            name: raw.name.get_ref().clone(),
            title: raw.title.clone(),
            usual_readers: raw
                .usual_readers
                .iter()
                .map(|text| text.get_ref().clone())
                .collect(),
            reader_patterns: reader_patterns.into_iter().flatten().collect(),
        })
    }

    fn entry(&self, raw: &RawEntry) -> Result<Entry, CatalogueError> {
        if !is_word(raw.id.get_ref(), '-') {
            return Err(self.wrong(&raw.id, &raw.id, "an entry's id has only a-z, 0-9 and -"));
        }
        if raw.globs.is_empty() {
            return Err(self.wrong(&raw.id, &raw.id, "it has no globs"));
        }
        if raw.operations.is_empty() {
            return Err(self.wrong(&raw.id, &raw.id, "it has no operations"));
        }
        let operations = raw.operations.iter().map(|operation| match operation {
            RawOperation::Read => Operation::Read,
            RawOperation::Write => Operation::Write,
        });
        Ok(Entry {
            id: raw.id.get_ref().clone(),
            kind: raw.kind.get_ref().clone(),
            patterns: self
                .patterns(&raw.globs, &raw.id)?
                .into_iter()
                .flatten()
                .collect(),
            exceptions: self
                .patterns(&raw.except, &raw.id)?
                .into_iter()
                .flatten()
                .collect(),
            operations: operations.collect(),
            opt_in: raw.opt_in,
            needs_content: raw.needs_content,
        })
    }

    fn patterns(
        &self,
        texts: &[Spanned<String>],
        owner: &Spanned<String>,
    ) -> Result<Vec<Vec<Pattern>>, CatalogueError> {
        let parse = |text: &Spanned<String>| {
            Pattern::parse(text.get_ref()).map_err(|source| CatalogueError::Pattern {
                file: self.file.to_owned(),
                line: self.line(text.span().start),
                owner: owner.get_ref().clone(),
                pattern: text.get_ref().clone(),
                source,
            })
        };
        texts.iter().map(parse).collect()
    }

    fn wrong(&self, at: &Spanned<String>, owner: &Spanned<String>, reason: &'static str) -> CatalogueError {
        CatalogueError::Item {
            file: self.file.to_owned(),
            line: self.line(at.span().start),
            owner: owner.get_ref().clone(),
            reason,
        }
    }

    fn line(&self, offset: usize) -> usize {
        1 + self
            .text
            .bytes()
            .take(offset)
            .filter(|byte| *byte == b'\n')
            .count()
    }
}

fn is_word(text: &str, between: char) -> bool {
    !text.is_empty()
        && text
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == between)
}

#[cfg(test)]
mod tests;
