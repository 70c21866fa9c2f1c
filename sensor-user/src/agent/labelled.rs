//! What is labelled at which path, and what was.
//!
//! A label follows its object: a credential that is moved out of the catalogue's places is still known. So the label of a file that has left its
//! path is kept, but only so many of them ([`GONE_MAX`]): whoever makes and removes files without end drives out his own, oldest first, for
//! the owner that has most gives. A directory's label says what would be a credential in it, which is so because of its path: it goes with the path, but for the sensor's own.
//!
//! Several paths can lead to one object, which the kernel half labels with the id of the path that was labelled last. When a path's label is dropped
//! and another path still leads there, that one is labelled anew at the next scan, so that the object never keeps an id that stands for nothing.

use std::{
    collections::{BTreeMap, HashMap, HashSet, VecDeque},
    path::{Path, PathBuf},
};

use claviger_sensor_common::{NameKey, ObjectKey};

use super::remembered::device_of;
use crate::credential::Seen;

/// Labels kept of what has left its path.
pub(super) const GONE_MAX: usize = 8_192;

/// Where paths begin: each has its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Root {
    /// The host's root, in the places that are looked through often.
    Host,
    /// The host's root, searched now and then.
    Search,
    /// The root of this number, of a container or of others who see another tree.
    Other(u64),
    /// The host's root, of the sensor's own files.
    Own,
    /// The host's root, for copies of credentials, which no place and no search names.
    Copies,
    /// All roots that are too many to be looked into: nothing below them is labelled.
    Others,
}

/// A label in the kernel half.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Labelled {
    /// Which file it was set on, and whose that is.
    pub seen: Seen,
    /// The kernel's numbers of it.
    pub object: ObjectKey,
    /// The label's id.
    pub id: u32,
    /// For a directory: hashes of the names watched in it, with their ids.
    pub names: Option<Vec<(u64, u32)>>,
}

/// A label that is no longer needed.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Dropped {
    /// The label.
    pub labelled: Labelled,
    /// Whether no path that is there leads to the same object, so that it loses its label in the kernel half too.
    pub is_last: bool,
}

type Key = (ObjectKey, bool);

/// What lies at a path.
#[derive(Debug)]
struct At {
    /// The last scan that found it.
    scan: u64,
    /// The policy under which it was labelled.
    policy: u64,
    labelled: Labelled,
}

/// All labels.
#[derive(Debug)]
pub(super) struct Table {
    by_root: HashMap<Root, HashMap<PathBuf, At>>,
    gone: BTreeMap<u32, VecDeque<Labelled>>,
    gone_count: usize,
    gone_max: usize,
    /// How many paths that are there lead to an object that is labelled as a directory (true) or a file.
    live: HashMap<Key, usize>,
    /// What has to be labelled anew.
    stale: HashSet<Key>,
    /// What loses its label at the end of the next scan: directories that have left a path, and files that have left their last one before they were
    /// labelled anew, so that their id stands for nothing.
    orphans: Vec<Labelled>,
    scan: u64,
    policy: u64,
}

impl Default for Table {
    fn default() -> Self {
        Self {
            by_root: HashMap::new(),
            gone: BTreeMap::new(),
            gone_count: 0,
            gone_max: GONE_MAX,
            live: HashMap::new(),
            stale: HashSet::new(),
            orphans: Vec::new(),
            scan: 0,
            policy: 0,
        }
    }
}

impl Table {
    /// A scan of one root begins: its number, for its end. Scans of other roots may begin and end meanwhile.
    pub(super) fn begin(&mut self) -> u64 {
        self.scan += 1;
        self.scan
    }

    /// Another policy holds: from here on nothing counts as labelled until it was labelled anew.
    pub(super) fn new_policy(&mut self) {
        self.policy += 1;
    }

    /// Whether this very file is labelled at this path; it is then known to be there still.
    pub(super) fn is_labelled(&mut self, root: Root, path: &Path, seen: Seen) -> bool {
        match self.by_root.get_mut(&root).and_then(|paths| paths.get_mut(path)) {
            Some(at)
                if at.labelled.seen == seen
                    && at.policy == self.policy
                    && !self.stale.contains(&key(&at.labelled)) =>
            {
                at.scan = self.scan;
                true
            }
            _ => false,
        }
    }

    /// The object that is labelled at this path.
    pub(super) fn object_at(&self, root: Root, path: &Path) -> Option<ObjectKey> {
        let at = self.by_root.get(&root)?.get(path)?;
        Some(at.labelled.object)
    }

    /// Whether these names, by their hashes, are watched in the directory that is labelled at this path.
    pub(super) fn watches(&self, root: Root, path: &Path, names: &HashSet<u64>) -> bool {
        let at = self.by_root.get(&root).and_then(|paths| paths.get(path));
        let watched = at.and_then(|at| at.labelled.names.as_ref());
        watched.is_some_and(|watched| {
            watched.len() == names.len() && watched.iter().all(|(name_hash, _)| names.contains(name_hash))
        })
    }

    /// What is labelled below a root, in force or not.
    pub(super) fn below(&self, root: Root) -> Vec<(PathBuf, Seen)> {
        let paths = self.by_root.get(&root).into_iter().flatten();
        paths.map(|(path, at)| (path.clone(), at.labelled.seen)).collect()
    }

    /// What is labelled at a path of a root is there still, and stays what it is under any policy.
    pub(super) fn stays(&mut self, root: Root, path: &Path) {
        if let Some(at) = self.by_root.get_mut(&root).and_then(|paths| paths.get_mut(path)) {
            at.scan = self.scan;
            at.policy = self.policy;
        }
    }

    /// What is labelled at or below a path of a root was not looked at by the scan that began with this number, and is taken to be there still. How many
    /// files and directories that are.
    pub(super) fn stays_below(&mut self, root: Root, above: &Path, begun: u64) -> (u64, u64) {
        let (mut files, mut directories) = (0, 0);
        for (path, at) in self.by_root.get_mut(&root).into_iter().flatten() {
            if at.scan < begun && path.starts_with(above) {
                at.scan = self.scan;
                match at.labelled.names {
                    Some(_) => directories += 1,
                    None => files += 1,
                }
            }
        }
        (files, directories)
    }

    /// An object got another label that stands for nothing. True where a path that is there leads to it: that labels it anew.
    pub(super) fn renew(&mut self, object: ObjectKey, is_directory: bool) -> bool {
        let key = (object, is_directory);
        let is_live = self.live.contains_key(&key);
        if is_live {
            self.stale.insert(key);
        }
        is_live
    }

    /// Whether an object is labelled as a file.
    pub(super) fn is_known(&self, object: ObjectKey) -> bool {
        self.live.contains_key(&(object, false))
    }

    /// All objects that are labelled as files, those that have left their path too.
    pub(super) fn objects(&self) -> HashSet<ObjectKey> {
        let live = self.live.keys().filter(|(_, is_directory)| !is_directory);
        let left = self.gone.values().flatten().chain(&self.orphans);
        let left = left.filter(|labelled| labelled.names.is_none());
        live.map(|(object, _)| *object)
            .chain(left.map(|labelled| labelled.object))
            .collect()
    }

    /// The devices of all that is labelled, by major and minor number.
    pub(super) fn devices(&self) -> HashSet<(u32, u32)> {
        let live = self.live.keys().map(|(object, _)| device_of(*object));
        live.chain(self.devices_of_gone()).collect()
    }

    /// Those of what has left its path.
    pub(super) fn devices_of_gone(&self) -> HashSet<(u32, u32)> {
        let gone = self.gone.values().flatten();
        gone.map(|labelled| device_of(labelled.object)).collect()
    }

    /// Files that nothing but their history is known by, each with its path where that is known: copies, and, the newest of each owner first, what has left
    /// its path. That it lies in another tree, or where a search found it, may not be so any more: these are looked at now and then.
    pub(super) fn by_history(&self) -> impl Iterator<Item = (&Labelled, Option<&Path>)> {
        let copies = self.by_root.get(&Root::Copies).into_iter().flatten();
        let copies = copies.map(|(path, at)| (&at.labelled, Some(path.as_path())));
        let left = self.gone.values().flat_map(|left| left.iter().rev());
        let left: Vec<_> = left.filter(|labelled| labelled.names.is_none()).collect();
        let here: HashSet<_> = match left.iter().any(|labelled| self.is_live(labelled)) {
            true => self.keys_of(&[Root::Host, Root::Own, Root::Copies]).collect(),
            false => HashSet::new(),
        };
        let left = left
            .into_iter()
            .filter(move |labelled| !here.contains(&key(labelled)));
        copies.chain(left.map(|labelled| (labelled, None)))
    }

    fn keys_of(&self, roots: &[Root]) -> impl Iterator<Item = Key> {
        let paths = roots.iter().filter_map(|root| self.by_root.get(root));
        paths.flat_map(|paths| paths.values()).map(|at| key(&at.labelled))
    }

    /// A file has a label and lies at no path any more at which it would be found.
    pub(super) fn adopt(&mut self, labelled: Labelled) {
        self.gone
            .entry(labelled.seen.owner)
            .or_default()
            .push_back(labelled);
        self.gone_count += 1;
    }

    /// Whether this very file is labelled at this path of a root, in force or not.
    pub(super) fn holds(&self, root: Root, path: &Path, seen: Seen) -> bool {
        self.by_root
            .get(&root)
            .and_then(|paths| paths.get(path))
            .is_some_and(|at| at.labelled.seen == seen)
    }

    /// A file was labelled at a path. What was there before is gone; where it was the same object, its label is replaced and comes back to be
    /// released.
    #[must_use]
    pub(super) fn insert(&mut self, root: Root, path: PathBuf, labelled: Labelled) -> Option<Labelled> {
        let key = key(&labelled);
        self.stale.remove(&key);
        *self.live.entry(key).or_default() += 1;
        let at = At {
            scan: self.scan,
            policy: self.policy,
            labelled,
        };
        let before = self.by_root.entry(root).or_default().insert(path, at)?.labelled;
        if self::key(&before) == key {
            self.count_down(key);
            return Some(before);
        }
        self.leave(root, before);
        None
    }

    /// Whether a path that is there leads to the object of a label.
    pub(super) fn is_live(&self, labelled: &Labelled) -> bool {
        self.live.contains_key(&key(labelled))
    }

    /// The scan that began last ended, of a root: what it did not find there is gone. Returns the labels that are to be taken away.
    pub(super) fn end(&mut self, root: Root) -> Vec<Dropped> {
        self.end_of(root, self.scan)
    }

    /// The same, of the scan that began with this number.
    pub(super) fn end_of(&mut self, root: Root, begun: u64) -> Vec<Dropped> {
        let paths = self.by_root.entry(root).or_default();
        let left: Vec<_> = paths.extract_if(|_, at| at.scan < begun).collect();
        if paths.is_empty() {
            self.by_root.remove(&root);
        }
        for (_, at) in left {
            self.leave(root, at.labelled);
        }
        let mut dropped = self.drop_orphans();
        while self.gone_count > self.gone_max
            && let Some(labelled) = self.oldest_of_most()
        {
            dropped.push(self.drop_one(labelled));
        }
        dropped
    }

    /// Lets go, of what was found below other roots than the host's or by a search, what is unwanted. With the host's the scan has done so.
    pub(super) fn leave_elsewhere(&mut self, is_unwanted: impl Fn(&Labelled) -> bool) {
        let mut left = Vec::new();
        for (root, paths) in &mut self.by_root {
            if *root != Root::Host {
                let unwanted = paths.extract_if(|_, at| is_unwanted(&at.labelled));
                left.extend(unwanted.map(|(_, at)| (*root, at.labelled)));
            }
        }
        for (root, labelled) in left {
            self.leave(root, labelled);
        }
    }

    /// One that this scan found at another path has been labelled anew there, or, a directory that was labelled at both, will be.
    fn drop_orphans(&mut self) -> Vec<Dropped> {
        let orphans = std::mem::take(&mut self.orphans);
        let drop = |labelled: Labelled| {
            let is_last = !self.is_live(&labelled);
            if !is_last && labelled.names.is_some() {
                self.stale.insert(key(&labelled));
            }
            Dropped { labelled, is_last }
        };
        orphans.into_iter().map(drop).collect()
    }

    /// Takes away, of what has left its path, what is not wanted any more.
    pub(super) fn drop_gone(&mut self, is_unwanted: impl Fn(&Labelled) -> bool) -> Vec<Dropped> {
        let mut unwanted = Vec::new();
        for gone in self.gone.values_mut() {
            let (out, kept): (VecDeque<_>, VecDeque<_>) = gone.drain(..).partition(&is_unwanted);
            *gone = kept;
            unwanted.extend(out);
        }
        self.gone.retain(|_, gone| !gone.is_empty());
        let mut dropped = self.drop_orphans();
        dropped.extend(unwanted.into_iter().map(|labelled| self.drop_one(labelled)));
        dropped
    }

    /// All names that are watched in directories.
    pub(super) fn watched_names(&self) -> impl Iterator<Item = NameKey> {
        let labelled = self
            .by_root
            .values()
            .flat_map(HashMap::values)
            .map(|at| &at.labelled);
        labelled.flat_map(|labelled| {
            let names = labelled.names.iter().flatten();
            names.map(|(name_hash, _)| NameKey {
                directory: labelled.object,
                name_hash: *name_hash,
            })
        })
    }

    /// Takes one away that was taken out of those that are gone.
    fn drop_one(&mut self, labelled: Labelled) -> Dropped {
        self.gone_count -= 1;
        let is_last = !self.is_live(&labelled);
        if !is_last {
            self.stale.insert(key(&labelled));
        }
        Dropped { labelled, is_last }
    }

    fn leave(&mut self, root: Root, labelled: Labelled) {
        let key = key(&labelled);
        // The sensor's own directories are its own wherever they are moved.
        let goes_with_path = labelled.names.is_some() && root != Root::Own;
        let was_stale = self.stale.contains(&key);
        self.count_down(key);
        if goes_with_path || (was_stale && !self.live.contains_key(&key)) {
            self.orphans.push(labelled);
            return;
        }
        self.adopt(labelled);
    }

    fn count_down(&mut self, key: Key) {
        if let Some(live) = self.live.get_mut(&key) {
            *live -= 1;
            if *live == 0 {
                self.live.remove(&key);
                self.stale.remove(&key);
            }
        }
    }

    fn oldest_of_most(&mut self) -> Option<Labelled> {
        let owner = *self.gone.iter().max_by_key(|(_, gone)| gone.len())?.0;
        let gone = self.gone.get_mut(&owner)?;
        let oldest = gone.pop_front();
        if gone.is_empty() {
            self.gone.remove(&owner);
        }
        oldest
    }
}

fn key(labelled: &Labelled) -> Key {
    (labelled.object, labelled.names.is_some())
}

#[cfg(test)]
mod tests;
