//! Directories that are renamed with the credentials in them.
//!
//! - Each credential of which it is known that it lies there is told: as renamed, or, where the catalogue names its new path too, as created there. At most
//!   [`TOLD_MAX`] of one directory; more are counted as lost (`too_many_moved`).
//! - What comes with a directory to where credentials can lie is known once a scan has labelled it, and told then, as created. At most
//!   [`ARRIVALS_MAX`] directories are waited for; further ones are counted as lost (`too_many_moves`).

use std::{
    collections::HashSet,
    ffi::OsStr,
    os::unix::ffi::OsStrExt as _,
    path::{Path, PathBuf},
};

use claviger_proto::catalogue::Entry;
use claviger_sensor_common::ObjectKey;

use super::{
    changes::{Found, beside, path_of, shown_of},
    *,
};
use crate::{
    attribute::is_own_mount_namespace,
    decode::{Change, Changed, End, FilePath, Known, Match, Object},
};

/// Credentials of one directory that are told.
const TOLD_MAX: usize = 256;

/// Directories that came to where credentials can lie, and were not looked into yet.
const ARRIVALS_MAX: usize = 64;

/// Scans after which nothing is waited for any more: the first may have begun before the directory came.
const SCANS_MAX: u32 = 3;

/// A directory that was renamed. A path is nothing where nothing is known of it but how it is shown.
struct Move {
    from: Option<PathBuf>,
    from_shown: FilePath,
    to: Option<PathBuf>,
    to_shown: FilePath,
}

/// A directory that came to where credentials can lie.
pub(super) struct Arrival {
    change: Change,
    to: PathBuf,
    from_shown: FilePath,
    /// What was told already, of either of two that changed places: it was known where it came from.
    told: HashSet<ObjectKey>,
    scans: u32,
}

impl<S: Sink> Agent<S> {
    /// Tells what is known to have been moved, and waits for the rest. False where there is nothing to tell or to wait for.
    pub(super) fn directory_moved(&mut self, change: &Change) -> bool {
        let moves = self.moves(change);
        let mut told = HashSet::new();
        for one in &moves {
            if let Some(from) = &one.from {
                told.extend(self.tell_departures(change, from, one));
            }
        }
        let mut concerns_us = !told.is_empty();
        for one in moves {
            // Of things that changed places, a scan that had begun before may find each once more where it was.
            concerns_us |= self.await_arrival(change, one, told.clone());
        }
        if concerns_us && change.end == End::Succeeded {
            self.worker.look();
        }
        concerns_us
    }

    /// From where to where: two ways, where things changed places.
    fn moves(&self, change: &Change) -> Vec<Move> {
        let second = change.second.clone().unwrap_or_default();
        let (from, to) = if change.is_by_path {
            // Of a path that is cut at its end the rest would be another's.
            let whole = |path: &FilePath| (!path.truncated).then(|| path_of(path));
            (whole(&change.path), whole(&second))
        } else {
            let name = OsStr::from_bytes(second.name());
            let to = self.directory_path(&change.place).map(|place| place.join(name));
            (self.directory_path(&change.file), to)
        };
        let (from_shown, to_shown) = match (&from, &to) {
            (Some(from), Some(to)) => (shown_of(from), shown_of(to)),
            (Some(from), None) => (shown_of(from), beside(&shown_of(from), &change.path, &second)),
            (None, Some(to)) => (beside(&shown_of(to), &second, &change.path), shown_of(to)),
            (None, None) => return Vec::new(),
        };
        let there = Move {
            from,
            from_shown,
            to,
            to_shown,
        };
        let is_exchange = matches!(change.what, Changed::Exchanged | Changed::DirectoryExchanged);
        let back = is_exchange.then(|| Move {
            from: there.to.clone(),
            from_shown: there.to_shown.clone(),
            to: there.from.clone(),
            to_shown: there.from_shown.clone(),
        });
        std::iter::once(there).chain(back).collect()
    }

    /// Where the catalogue or a way to its places has a directory.
    fn directory_path(&self, directory: &Known) -> Option<PathBuf> {
        if let Some(Match::Object(id)) = directory.matched
            && let Some(Meaning::Directory { path }) = self.knowledge.labels().meaning(id)
        {
            return Some(path.clone());
        }
        self.knowledge.way_of(directory.object?.key)
    }

    fn tell_departures(&mut self, change: &Change, from: &Path, one: &Move) -> HashSet<ObjectKey> {
        let labels = self.knowledge.labels();
        let below = labels.below(from);
        let mut there: Vec<_> = below
            .take(TOLD_MAX + 1)
            .map(|(entry, path, object)| (Arc::clone(entry), path.to_owned(), object))
            .collect();
        drop(labels);
        if there.len() > TOLD_MAX {
            there.truncate(TOLD_MAX);
            let all = self.knowledge.labels().below(from).count();
            self.lose_moved((all - TOLD_MAX) as u64);
        }
        let places = self.knowledge.places();
        for (entry, path, object) in &there {
            let after = rest_at(path, from, &one.to_shown);
            let to = one
                .to
                .as_ref()
                .and_then(|_| places.match_path(&after.bytes).map(Arc::clone));
            let before = shown_of(path);
            match to {
                Some(entry) => self.tell_moved(change, "created", &entry, &after, *object, (&before, &after)),
                None => self.tell_moved(change, "renamed", entry, &before, *object, (&before, &after)),
            }
            if change.end == End::Succeeded {
                self.knowledge.labels().lies(path, None);
            }
        }
        there.into_iter().map(|(_, _, object)| object).collect()
    }

    /// Tells one credential that was moved with its directory.
    fn tell_moved(
        &mut self,
        change: &Change,
        word: &'static str,
        entry: &Arc<Entry>,
        path: &FilePath,
        object: ObjectKey,
        (before, after): (&FilePath, &FilePath),
    ) {
        self.accounts.received += 1;
        let found = Found {
            entry: Arc::clone(entry),
            path: path.clone(),
            object: Some(Object::from(object)),
            matched_by: if change.is_by_path {
                MatchBasis::PathAsGiven
            } else {
                MatchBasis::DirectoryEntry
            },
        };
        self.tell_change(change, word, &found, before.display(), after.display());
    }

    fn await_arrival(&mut self, change: &Change, one: Move, told: HashSet<ObjectKey>) -> bool {
        let Some(to) = one.to.filter(|_| change.end == End::Succeeded) else {
            return false;
        };
        if change.is_by_path {
            // What is by path may be any file, which was no credential; it may have come to where a directory would lead on.
            let parent = to.parent().unwrap_or(Path::new("/"));
            let leads_on = self.knowledge.is_way(parent) || self.knowledge.is_way(&to);
            if !leads_on || !is_own_mount_namespace(change.task.mount_namespace) {
                return false;
            }
        }
        self.arrivals.retain(|arrival| arrival.to != to);
        if self.arrivals.len() >= ARRIVALS_MAX {
            self.accounts.received += 1;
            self.accounts.lose(LostHere::TooManyMoves, 1);
            return true;
        }
        self.arrivals.push(Arrival {
            change: change.clone(),
            to,
            from_shown: one.from_shown,
            told,
            scans: 0,
        });
        true
    }

    /// A scan is done: tells what it has found where directories came to.
    pub(super) fn tell_arrivals(&mut self) {
        for mut arrival in std::mem::take(&mut self.arrivals) {
            arrival.scans += 1;
            let labels = self.knowledge.labels();
            let new = labels
                .below(&arrival.to)
                .filter(|(_, _, object)| !arrival.told.contains(object));
            let found: Vec<_> = new
                .take(TOLD_MAX + 1)
                .map(|(entry, path, object)| (Arc::clone(entry), path.to_owned(), object))
                .collect();
            drop(labels);
            for (entry, path, object) in found.iter().take(TOLD_MAX) {
                let before = rest_at(path, &arrival.to, &arrival.from_shown);
                let after = shown_of(path);
                self.tell_moved(
                    &arrival.change,
                    "created",
                    entry,
                    &after,
                    *object,
                    (&before, &after),
                );
            }
            if found.len() > TOLD_MAX {
                self.lose_moved(1);
            }
            let done = !found.is_empty() || arrival.scans >= SCANS_MAX;
            if !done {
                self.arrivals.push(arrival);
            } else if found.is_empty() && arrival.told.is_empty() {
                self.accounts.received += 1;
                self.accounts.drop_record(Dropped::NotInCatalogue);
            }
        }
    }

    /// At the end nothing is looked into any more.
    pub(super) fn give_up_arrivals(&mut self) {
        let waiting = self.arrivals.drain(..).count() as u64;
        if waiting > 0 {
            self.accounts.received += waiting;
            self.accounts.lose(LostHere::NotScanned, waiting);
        }
    }

    fn lose_moved(&mut self, count: u64) {
        self.accounts.received += count;
        self.accounts.lose(LostHere::TooManyMoved, count);
    }
}

/// Where what lies at a path below one directory lies when that has another path.
fn rest_at(path: &Path, directory: &Path, other: &FilePath) -> FilePath {
    let rest = path.strip_prefix(directory).unwrap_or(Path::new(""));
    let joined = other.join(rest.as_os_str().as_encoded_bytes());
    // What is not known from the root on is not to look as if it were.
    let bytes = match joined.bytes.strip_prefix(b"/") {
        Some(relative) if other.truncated => relative.to_vec(),
        _ => joined.bytes,
    };
    FilePath { bytes, ..joined }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lies_below_comes_along() {
        let at = |other: &str, truncated| {
            let other = FilePath {
                bytes: other.into(),
                truncated,
            };
            rest_at(Path::new("/h/.ssh/a/b"), Path::new("/h/.ssh"), &other)
        };
        assert_eq!(at("/tmp/x", false), shown_of(Path::new("/tmp/x/a/b")));
        assert_eq!(
            (at("x", true).bytes, at("x", true).truncated),
            (b"x/a/b".to_vec(), true)
        );
    }
}
