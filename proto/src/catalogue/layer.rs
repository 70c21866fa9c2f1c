//! Laying an operator's files over a catalogue.
//!
//! A layer is written like the shipped file, and can also `remove` entries that are there before it, and `enable` those that have to be asked
//! for. Its own entries stand before all earlier ones, so that the operator's word decides; only one that names every file stands behind the
//! rest, which know more. A `[[kind]]` without a title adds usual readers to a known one.

use std::{fmt, sync::Arc};

use super::{
    Catalogue, CatalogueError,
    parse::{Place, Raw},
    start::Start,
};

/// Entries, at most.
const MAX_ENTRIES: usize = 4_096;
/// Kinds, at most.
const MAX_KINDS: usize = 1_024;
/// Patterns of all entries with alternatives written out, at most.
const MAX_PATTERNS: usize = 16_384;

/// Variables, options and headers, at most.
const MAX_NAMES: usize = 2_048;

/// A file of an operator.
#[derive(Clone, Copy, Debug)]
pub struct Layer<'a> {
    /// Its name, for errors.
    pub name: &'a str,
    /// What stands in it.
    pub text: &'a str,
}

/// What is allowed and hardly meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    file: String,
    line: usize,
    column: usize,
    owner: String,
    pattern: String,
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            file,
            line,
            column,
            owner,
            pattern,
        } = self;
        write!(
            f,
            "{file}:{line}:{column}: {owner:?}: pattern {pattern:?} names every file; it is searched for now and then only, up to the bounds of a \
             search, and stands behind all other entries"
        )
    }
}

impl Catalogue {
    /// This catalogue with layers over it, the later above the earlier, and what in them is hardly meant.
    ///
    /// # Errors
    /// [`CatalogueError`]; then nothing of any layer holds.
    pub fn with(&self, layers: &[Layer<'_>]) -> Result<(Self, Vec<Warning>), CatalogueError> {
        let mut catalogue = self.clone();
        let mut warnings = Vec::new();
        for layer in layers {
            catalogue.lay(*layer, &mut warnings)?;
        }
        Ok((catalogue, warnings))
    }

    fn lay(&mut self, layer: Layer<'_>, warnings: &mut Vec<Warning>) -> Result<(), CatalogueError> {
        let place = Place {
            text: layer.text,
            file: layer.name,
        };
        let raw = place.raw()?;
        for id in &raw.remove {
            let before = self.entries.len() + self.starts.len();
            self.entries.retain(|entry| entry.id != *id.get_ref());
            self.starts.retain(|start| start.id != *id.get_ref());
            if self.entries.len() + self.starts.len() == before {
                return Err(place.wrong(id, id, "there is no entry with this id to remove"));
            }
        }
        for id in &raw.enable {
            let Some(entry) = self.entries.iter_mut().find(|entry| entry.id == *id.get_ref()) else {
                return Err(place.wrong(id, id, "there is no entry with this id to enable"));
            };
            Arc::make_mut(entry).opt_in = false;
        }
        self.lay_kinds(&place, &raw)?;
        self.lay_entries(&place, &raw, warnings)?;
        self.lay_starts(&place, &raw)?;
        let patterns: usize = self.entries.iter().map(|entry| entry.patterns.len()).sum();
        let too_much = |what| CatalogueError::TooMuch {
            file: layer.name.to_owned(),
            what,
        };
        if self.entries.len() > MAX_ENTRIES {
            return Err(too_much("with it there are more than 4096 entries"));
        }
        let names = |start: &Arc<Start>| start.variables.len() + start.options.len() + start.headers.len();
        if self.starts.iter().map(names).sum::<usize>() > MAX_NAMES {
            return Err(too_much(
                "with it there are more than 2048 variables, options and headers",
            ));
        }
        if self.kinds.len() > MAX_KINDS {
            return Err(too_much("with it there are more than 1024 kinds"));
        }
        if patterns > MAX_PATTERNS {
            return Err(too_much(
                "with it there are more than 16384 patterns, alternatives written out",
            ));
        }
        Ok(())
    }

    fn lay_starts(&mut self, place: &Place<'_>, raw: &Raw) -> Result<(), CatalogueError> {
        let mut starts = Vec::with_capacity(raw.start.len() + self.starts.len());
        for raw in &raw.start {
            let start = Start::parse(place, raw)?;
            if !self.kinds.contains_key(&start.kind) {
                let reason = "its kind is not known; add a [[kind]] of that name";
                return Err(place.wrong(&raw.kind, &raw.id, reason));
            }
            let is_start = self
                .starts
                .iter()
                .chain(&starts)
                .any(|other: &Arc<Start>| other.id == start.id);
            if is_start || self.entry(&start.id).is_some() {
                let reason =
                    "there is another entry with this id; `remove` that one to put this in its place";
                return Err(place.wrong(&raw.id, &raw.id, reason));
            }
            starts.push(Arc::new(start));
        }
        starts.append(&mut self.starts);
        self.starts = starts;
        Ok(())
    }

    fn lay_kinds(&mut self, place: &Place<'_>, raw: &Raw) -> Result<(), CatalogueError> {
        for raw in &raw.kind {
            let kind = place.kind(raw)?;
            match (self.kinds.get_mut(&kind.name), raw.title.is_some()) {
                (Some(known), false) => {
                    known.usual_readers.extend(kind.usual_readers);
                    known.reader_patterns.extend(kind.reader_patterns);
                }
                (Some(_), true) => {
                    let reason = "there is another kind of this name; without a title, this one's readers are added to it";
                    return Err(place.wrong(&raw.name, &raw.name, reason));
                }
                (None, true) => {
                    self.kinds.insert(kind.name.clone(), kind);
                }
                (None, false) => return Err(place.wrong(&raw.name, &raw.name, "a new kind needs a title")),
            }
        }
        Ok(())
    }

    fn lay_entries(
        &mut self,
        place: &Place<'_>,
        raw: &Raw,
        warnings: &mut Vec<Warning>,
    ) -> Result<(), CatalogueError> {
        let mut entries = Vec::with_capacity(raw.entry.len() + self.entries.len());
        for raw in &raw.entry {
            let entry = place.entry(raw)?;
            if !self.kinds.contains_key(&entry.kind) {
                return Err(place.wrong(
                    &raw.kind,
                    &raw.id,
                    "its kind is not known; add a [[kind]] of that name",
                ));
            }
            if self
                .entries
                .iter()
                .chain(&entries)
                .any(|other: &Arc<_>| other.id == entry.id)
            {
                let reason =
                    "there is another entry with this id; `remove` that one to put this in its place";
                return Err(place.wrong(&raw.id, &raw.id, reason));
            }
            for glob in &raw.globs {
                if place
                    .pattern(glob, &raw.id)?
                    .iter()
                    .any(super::Pattern::is_everything)
                {
                    let (line, column) = place.at(glob.span().start);
                    warnings.push(Warning {
                        file: place.file.to_owned(),
                        line,
                        column,
                        owner: entry.id.clone(),
                        pattern: glob.get_ref().clone(),
                    });
                }
            }
            entries.push(Arc::new(entry));
        }
        entries.append(&mut self.entries);
        entries.sort_by_key(|entry| entry.is_everything());
        self.entries = entries;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
