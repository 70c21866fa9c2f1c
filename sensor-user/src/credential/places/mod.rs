//! Where credentials can lie on this host: the catalogue's patterns laid over the users' homes.
//!
//! - Planning and classifying are pure; only [`Places::scan`] looks at the file system, and it opens directories, never files.
//! - Which entry names a path is decided in one way for the scan and for [`Places::match_path`]: the first of the catalogue that
//!   matches and has no exception for it.
//! - Entries that the operator has to ask for take no part. Those that only the content decides name no path, and no directory is labelled for
//!   them: they are known once a scan has found them and [`super::Contents`] has looked.
//! - Patterns that begin with `**`, or name every file, would make a walk over the whole host: that is a plan of its own ([`Places::for_search`]),
//!   which labels no directories, or every file that is opened anywhere would have to be looked at.

mod homes;
mod index;
mod mounts;
mod overlays;
mod scan;

use std::{collections::HashSet, path::Path, sync::Arc};

use claviger_proto::catalogue::{Anchor, Catalogue, Entry, Pattern};

use index::Index;

pub use homes::{Home, homes, homes_of};
pub use mounts::{Mounted, mounted_path, mounts_of, seen_through, served_from};
pub use overlays::{OVERLAYS_MAX, Overlay};
pub use scan::{Candidate, LabelledDirectory, LeftOut, ScanError, ScanLimits, ScanResult, Way, Why};

/// Homes that are looked into, at most: those of the configuration first, then /etc/passwd's in its order. That there are more is among
/// [`Why::Homes`].
const HOMES_MAX: usize = 16_384;

/// One pattern of one entry.
#[derive(Clone, Debug)]
struct Rule {
    entry: Arc<Entry>,
    /// Which of its patterns.
    pattern: usize,
}

impl Rule {
    /// Whether only a search of the whole host finds what it names.
    fn is_searched(&self) -> bool {
        self.pattern().anchor() == Anchor::Anywhere || self.pattern().is_everything()
    }

    fn pattern(&self) -> &Pattern {
        &self.entry.patterns()[self.pattern]
    }
}

/// Where credentials can lie. Rebuild it when the homes or the catalogue change.
#[derive(Debug)]
pub struct Places {
    /// In the catalogue's order: of two that match, the first counts.
    rules: Vec<Rule>,
    index: Index,
    homes: Vec<Home>,
    /// Homes beyond [`HOMES_MAX`].
    homes_left_out: u64,
    home_paths: HashSet<Vec<u8>>,
    /// Whether this is the plan of a search.
    searches: bool,
}

impl Places {
    /// Lays a catalogue over homes.
    #[must_use]
    pub fn new(catalogue: &Catalogue, homes: Vec<Home>) -> Self {
        Self::plan(catalogue, homes, false)
    }

    /// The plan to search the whole host by, for what [`Self::new`] does not look for; nothing where the catalogue has no such pattern.
    #[must_use]
    pub fn for_search(catalogue: &Catalogue, homes: Vec<Home>) -> Option<Self> {
        let mut plan = Self::plan(catalogue, homes, true);
        plan.rules.retain(Rule::is_searched);
        plan.index = Index::new(&plan.rules);
        (!plan.rules.is_empty()).then_some(plan)
    }

    fn plan(catalogue: &Catalogue, mut homes: Vec<Home>, searches: bool) -> Self {
        let homes_left_out = homes.len().saturating_sub(HOMES_MAX) as u64;
        homes.truncate(HOMES_MAX);
        let rules: Vec<Rule> = catalogue
            .entries()
            .iter()
            .filter(|entry| !entry.is_opt_in())
            .flat_map(|entry| {
                (0..entry.patterns().len()).map(|pattern| Rule {
                    entry: Arc::clone(entry),
                    pattern,
                })
            })
            .collect();
        let index = Index::new(&rules);
        let home_paths = homes.iter().map(Home::to_bytes).collect();
        Self {
            rules,
            index,
            homes,
            homes_left_out,
            home_paths,
            searches,
        }
    }

    /// The entry that names an absolute path, by the path alone: none where only the content could say. `.`, `..` and doubled slashes in it are resolved as text, so a path
    /// with `..` behind a symbolic link can be taken for another.
    #[must_use]
    pub fn match_path(&self, path: &[u8]) -> Option<&Arc<Entry>> {
        let names = names(path)?;
        let below_homes = self.below_homes(&names);
        self.index
            .candidates(names.last()?)
            .map(|at| &self.rules[at])
            .find(|rule| {
                matches(rule.pattern(), &names, &below_homes)
                    && !rule
                        .entry
                        .exceptions()
                        .iter()
                        .any(|one| matches(one, &names, &below_homes))
            })
            .map(|rule| &rule.entry)
    }

    /// Whether an entry of this id names a path, whatever else does, and whatever the content is.
    #[must_use]
    pub fn names(&self, id: &str, path: &Path) -> bool {
        let Some(names) = names(path.as_os_str().as_encoded_bytes()) else {
            return false;
        };
        let below_homes = self.below_homes(&names);
        let mut rules = self.rules.iter().filter(|rule| rule.entry.id() == id);
        rules.any(|rule| {
            let exceptions = rule.entry.exceptions();
            matches(rule.pattern(), &names, &below_homes)
                && !exceptions.iter().any(|one| matches(one, &names, &below_homes))
        })
    }

    /// For each home that the path is below: how many of its names lead there.
    fn below_homes(&self, names: &[&[u8]]) -> Vec<usize> {
        let mut found = Vec::new();
        let mut path = Vec::new();
        for (at, name) in names.iter().enumerate() {
            if self.home_paths.contains(&path) {
                found.push(at);
            }
            path.push(b'/');
            path.extend_from_slice(name);
        }
        found
    }
}

fn matches(pattern: &Pattern, names: &[&[u8]], below_homes: &[usize]) -> bool {
    match pattern.anchor() {
        Anchor::Root | Anchor::Anywhere => pattern.matches_names(names),
        Anchor::Home => below_homes.iter().any(|at| pattern.matches_names(&names[*at..])),
    }
}

/// The names of an absolute path.
fn names(path: &[u8]) -> Option<Vec<&[u8]>> {
    let mut names = Vec::new();
    for name in path.strip_prefix(b"/")?.split(|byte| *byte == b'/') {
        match name {
            b"" | b"." => {}
            b".." => {
                names.pop();
            }
            _ => names.push(name),
        }
    }
    Some(names)
}

#[cfg(test)]
mod tests;
