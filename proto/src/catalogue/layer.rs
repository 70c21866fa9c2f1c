//! Laying an operator's files over a catalogue.
//!
//! A layer is written like the shipped file, and can also `remove` entries that are there before it, and `enable` those that have to be asked
//! for. Its own entries stand before all earlier ones, so that the operator's word decides; only one that names every file stands behind the
//! rest, which know more. A `[[kind]]` without a title adds usual readers to a known one.

use std::{collections::HashSet, fmt, sync::Arc};

use toml::Spanned;

use super::{
    Catalogue, CatalogueError, CatalogueErrors, Pattern,
    endpoint::Endpoint,
    errors::{Faults, Sort},
    parse::{Place, Raw},
    provider::Provider,
    socket::Socket,
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
/// Addresses of endpoints, at most.
const MAX_ADDRESSES: usize = 1_024;
/// Their calls, at most.
const MAX_CALLS: usize = 4_096;

const NO_SUCH_ENTRY: &str =
    "there is no entry with this id: `claviger-sensor config catalogue` lists those that there are";
const ANOTHER_ENTRY: &str = "there is another entry with this id; `remove` that one to put this in its place";

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
    /// [`CatalogueErrors`], all that is wrong with any of them; then nothing of any layer holds.
    pub fn with(&self, layers: &[Layer<'_>]) -> Result<(Self, Vec<Warning>), CatalogueErrors> {
        let mut catalogue = self.clone();
        let mut warnings = Vec::new();
        let mut faults = Faults::default();
        for layer in layers {
            let before = faults.count();
            catalogue.lay(*layer, &mut warnings, &mut faults);
            faults.in_order_since(before);
        }
        faults.into_result()?;
        Ok((catalogue, warnings))
    }

    fn lay(&mut self, layer: Layer<'_>, warnings: &mut Vec<Warning>, faults: &mut Faults) {
        let place = Place {
            text: layer.text,
            file: layer.name,
        };
        let Some(raw) = place.raw(faults) else {
            return;
        };
        for id in &raw.remove {
            let before = self.count();
            self.entries.retain(|entry| entry.id != *id.get_ref());
            self.starts.retain(|start| start.id != *id.get_ref());
            self.endpoints.retain(|endpoint| endpoint.id != *id.get_ref());
            self.providers.retain(|provider| provider.id != *id.get_ref());
            self.sockets.retain(|socket| socket.id != *id.get_ref());
            if self.count() == before && !faults.may_come(Sort::Entry, id.get_ref()) {
                faults.push(place.wrong(id, id, "remove", NO_SUCH_ENTRY));
            }
        }
        for id in &raw.enable {
            match self.entries.iter_mut().find(|entry| entry.id == *id.get_ref()) {
                Some(entry) => Arc::make_mut(entry).opt_in = false,
                None if faults.may_come(Sort::Entry, id.get_ref()) => {}
                None => faults.push(place.wrong(id, id, "enable", NO_SUCH_ENTRY)),
            }
        }
        self.lay_kinds(&place, &raw, faults);
        self.lay_entries(&place, &raw, warnings, faults);
        self.lay_starts(&place, &raw, faults);
        self.lay_endpoints(&place, &raw, faults);
        self.lay_providers(&place, &raw, faults);
        self.lay_sockets(&place, &raw, faults);
        if let Some(what) = self.too_much() {
            faults.push(CatalogueError::TooMuch {
                file: layer.name.to_owned(),
                what,
            });
        }
    }

    /// Entries of all sorts.
    fn count(&self) -> usize {
        self.entries.len()
            + self.starts.len()
            + self.endpoints.len()
            + self.providers.len()
            + self.sockets.len()
    }

    /// Whether an entry of any sort has this id.
    fn has(&self, id: &str) -> bool {
        self.entry(id).is_some()
            || self.starts.iter().any(|start| start.id == id)
            || self.endpoints.iter().any(|endpoint| endpoint.id == id)
            || self.providers.iter().any(|provider| provider.id == id)
            || self.sockets.iter().any(|socket| socket.id == id)
    }

    /// What there is more of than any catalogue needs.
    fn too_much(&self) -> Option<&'static str> {
        let of_entries = self.entries.iter().map(|entry| entry.patterns.len());
        let of_sockets = self
            .sockets
            .iter()
            .map(|socket| socket.patterns.len() + socket.names.len());
        let patterns: usize = of_entries.chain(of_sockets).sum();
        let names = |start: &Arc<Start>| start.variables.len() + start.options.len() + start.headers.len();
        if self.entries.len() > MAX_ENTRIES {
            Some("with it there are more than 4096 entries")
        } else if self.starts.iter().map(names).sum::<usize>() > MAX_NAMES {
            Some("with it there are more than 2048 variables, options and headers")
        } else if self
            .endpoints
            .iter()
            .map(|one| one.addresses.len() + one.names.len())
            .sum::<usize>()
            > MAX_ADDRESSES
        {
            Some("with it there are more than 1024 addresses and names of endpoints")
        } else if self.endpoints.iter().map(|one| one.calls.len()).sum::<usize>() > MAX_CALLS {
            Some("with it there are more than 4096 calls of endpoints")
        } else if self
            .providers
            .iter()
            .map(|one| one.names.len() + one.addresses.len())
            .sum::<usize>()
            > MAX_NAMES
        {
            Some("with it there are more than 2048 names and addresses of providers")
        } else if self.kinds.len() > MAX_KINDS {
            Some("with it there are more than 1024 kinds")
        } else if patterns > MAX_PATTERNS {
            Some("with it there are more than 16384 patterns, alternatives written out")
        } else {
            None
        }
    }

    fn lay_starts(&mut self, place: &Place<'_>, raw: &Raw, faults: &mut Faults) {
        let mut starts = Vec::with_capacity(raw.start.len() + self.starts.len());
        for raw in &raw.start {
            self.ask_for_kind(place, &raw.kind, &raw.id, faults);
            let Some(start) = Start::parse(place, raw, faults) else {
                continue;
            };
            let is_start = self
                .starts
                .iter()
                .chain(&starts)
                .any(|other: &Arc<Start>| other.id == start.id);
            if is_start || self.has(&start.id) {
                faults.push(place.wrong(&raw.id, &raw.id, "id", ANOTHER_ENTRY));
                continue;
            }
            starts.push(Arc::new(start));
        }
        starts.append(&mut self.starts);
        self.starts = starts;
    }

    fn lay_endpoints(&mut self, place: &Place<'_>, raw: &Raw, faults: &mut Faults) {
        let new = |raw, faults: &mut Faults| Endpoint::parse(place, raw, faults);
        let new = self.new_of(place, raw.endpoint.iter().map(|raw| (&raw.id, raw)), new, faults);
        self.endpoints.splice(..0, new);
    }

    fn lay_providers(&mut self, place: &Place<'_>, raw: &Raw, faults: &mut Faults) {
        let new = |raw, faults: &mut Faults| Provider::parse(place, raw, faults);
        let new = self.new_of(place, raw.provider.iter().map(|raw| (&raw.id, raw)), new, faults);
        self.providers.splice(..0, new);
    }

    fn lay_sockets(&mut self, place: &Place<'_>, raw: &Raw, faults: &mut Faults) {
        let new = |raw, faults: &mut Faults| Socket::parse(place, raw, faults);
        let new = self.new_of(place, raw.socket.iter().map(|raw| (&raw.id, raw)), new, faults);
        self.sockets.splice(..0, new);
    }

    /// What a layer has of one sort, each under an id that nothing else has.
    fn new_of<'a, R: 'a, T>(
        &self,
        place: &Place<'_>,
        all: impl Iterator<Item = (&'a Spanned<String>, &'a R)>,
        parse: impl Fn(&'a R, &mut Faults) -> Option<T>,
        faults: &mut Faults,
    ) -> Vec<Arc<T>> {
        let mut ids = HashSet::new();
        let mut new = Vec::new();
        for (id, raw) in all {
            let Some(one) = parse(raw, faults) else {
                continue;
            };
            if self.has(id.get_ref()) || !ids.insert(id.get_ref()) {
                faults.push(place.wrong(id, id, "id", ANOTHER_ENTRY));
                continue;
            }
            new.push(Arc::new(one));
        }
        new
    }

    fn lay_kinds(&mut self, place: &Place<'_>, raw: &Raw, faults: &mut Faults) {
        for raw in &raw.kind {
            let Some(kind) = place.kind(raw, faults) else {
                continue;
            };
            let wrong = |reason| place.wrong(&raw.name, &raw.name, "name", reason);
            match (self.kinds.get_mut(&kind.name), raw.title.is_some()) {
                (Some(known), false) => {
                    known.usual_readers.extend(kind.usual_readers);
                    known.reader_patterns.extend(kind.reader_patterns);
                }
                (Some(_), true) => faults.push(wrong(
                    "there is another kind of this name; without a title, this one's readers are added to it",
                )),
                (None, true) => {
                    self.kinds.insert(kind.name.clone(), kind);
                }
                (None, false) if faults.may_come(Sort::Kind, &kind.name) => {}
                (None, false) => {
                    faults.push(wrong("a new kind needs a title"));
                    faults.refuse(Sort::Kind, &kind.name);
                }
            }
        }
    }

    fn lay_entries(
        &mut self,
        place: &Place<'_>,
        raw: &Raw,
        warnings: &mut Vec<Warning>,
        faults: &mut Faults,
    ) {
        let mut entries = Vec::with_capacity(raw.entry.len() + self.entries.len());
        for raw in &raw.entry {
            self.ask_for_kind(place, &raw.kind, &raw.id, faults);
            let Some(entry) = place.entry(raw, faults) else {
                continue;
            };
            if self
                .entries
                .iter()
                .chain(&entries)
                .any(|other: &Arc<_>| other.id == entry.id)
            {
                faults.push(place.wrong(&raw.id, &raw.id, "id", ANOTHER_ENTRY));
                continue;
            }
            let is_everything = |glob: &&Spanned<String>| {
                let patterns = Pattern::parse(glob.get_ref()).unwrap_or_default();
                patterns.iter().any(Pattern::is_everything)
            };
            for glob in raw.globs.iter().filter(is_everything) {
                let (line, column) = place.at(glob.span().start);
                warnings.push(Warning {
                    file: place.file.to_owned(),
                    line,
                    column,
                    owner: entry.id.clone(),
                    pattern: glob.get_ref().clone(),
                });
            }
            entries.push(Arc::new(entry));
        }
        entries.append(&mut self.entries);
        entries.sort_by_key(|entry| entry.is_everything());
        self.entries = entries;
    }

    fn ask_for_kind(
        &self,
        place: &Place<'_>,
        kind: &Spanned<String>,
        owner: &Spanned<String>,
        faults: &mut Faults,
    ) {
        if !self.kinds.contains_key(kind.get_ref()) && !faults.may_come(Sort::Kind, kind.get_ref()) {
            let reason = "there is no kind of this name: add a [[kind]] with it";
            faults.push(place.wrong(kind, owner, "kind", reason));
        }
    }
}

#[cfg(test)]
mod tests;
