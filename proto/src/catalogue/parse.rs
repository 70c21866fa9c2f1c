//! From text to a catalogue: first what stands there, then what it means.

use serde::Deserialize;
use toml::Spanned;

use super::content::Content;
use super::entry::{Catalogue, Entry, Kind, Operation};
use super::error::CatalogueError;
use super::layer::Layer;
use super::pattern::{Anchor, Pattern};

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
    /// [`CatalogueError`].
    pub fn parse(text: &str, source_name: &str) -> Result<Self, CatalogueError> {
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
    pub(super) fn raw(&self) -> Result<Raw, CatalogueError> {
        let file = self.file.to_owned();
        let raw: Raw = toml::from_str(self.text).map_err(|error| {
            let (line, column) = self.at(error.span().map_or(0, |span| span.start));
            CatalogueError::Syntax {
                file: file.clone(),
                line,
                column,
                // The lines of a message of several are hints; the first says it.
                message: error.message().lines().next().unwrap_or("not TOML").to_owned(),
            }
        })?;
        if *raw.version.get_ref() != 1 {
            let (line, column) = self.at(raw.version.span().start);
            return Err(CatalogueError::Version {
                file,
                line,
                column,
                found: *raw.version.get_ref(),
            });
        }
        Ok(raw)
    }

    pub(super) fn kind(&self, raw: &RawKind) -> Result<Kind, CatalogueError> {
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
            title: raw.title.clone().unwrap_or_default(),
            usual_readers: raw
                .usual_readers
                .iter()
                .map(|text| text.get_ref().clone())
                .collect(),
            reader_patterns: reader_patterns.into_iter().flatten().collect(),
        })
    }

    pub(super) fn entry(&self, raw: &RawEntry) -> Result<Entry, CatalogueError> {
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
            content: raw.content.clone(),
        })
    }

    fn patterns(
        &self,
        texts: &[Spanned<String>],
        owner: &Spanned<String>,
    ) -> Result<Vec<Vec<Pattern>>, CatalogueError> {
        texts.iter().map(|text| self.pattern(text, owner)).collect()
    }

    pub(super) fn pattern(
        &self,
        text: &Spanned<String>,
        owner: &Spanned<String>,
    ) -> Result<Vec<Pattern>, CatalogueError> {
        Pattern::parse(text.get_ref()).map_err(|source| {
            let (line, column) = self.at(text.span().start);
            CatalogueError::Pattern {
                file: self.file.to_owned(),
                line,
                column,
                owner: owner.get_ref().clone(),
                pattern: text.get_ref().clone(),
                source,
            }
        })
    }

    pub(super) fn wrong(
        &self,
        at: &Spanned<String>,
        owner: &Spanned<String>,
        reason: &'static str,
    ) -> CatalogueError {
        let (line, column) = self.at(at.span().start);
        CatalogueError::Item {
            file: self.file.to_owned(),
            line,
            column,
            owner: owner.get_ref().clone(),
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

pub(super) fn is_word(text: &str, between: char) -> bool {
    !text.is_empty()
        && text
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == between)
}

#[cfg(test)]
mod tests;
