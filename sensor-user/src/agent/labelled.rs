//! What is labelled at which path, and what was.
//!
//! A label follows its object: a credential that is moved out of the catalogue's places is still known. So the label of a file that has left its
//! path is kept, but only so many of them ([`GONE_MAX`]): whoever makes and removes files without end drives out his own, oldest first, for
//! the owner that has most gives.
//!
//! Several paths can lead to one object, which the kernel half labels with the id of the path that was labelled last. When a path's label is dropped
//! and another path still leads there, that one is labelled anew at the next scan, so that the object never keeps an id that stands for nothing.

use std::{
    collections::{BTreeMap, HashMap, HashSet, VecDeque},
    path::{Path, PathBuf},
};

use claviger_sensor_common::ObjectKey;

use crate::credential::Seen;

/// Labels kept of what has left its path.
pub(super) const GONE_MAX: usize = 8_192;

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

/// All labels.
#[derive(Debug, Default)]
pub(super) struct Table {
    by_path: HashMap<PathBuf, (u64, Labelled)>,
    gone: BTreeMap<u32, VecDeque<Labelled>>,
    gone_count: usize,
    /// How many paths that are there lead to an object that is labelled as a directory (true) or a file.
    live: HashMap<Key, usize>,
    /// What has to be labelled anew.
    stale: HashSet<Key>,
    scan: u64,
}

impl Table {
    /// A scan begins.
    pub(super) fn begin(&mut self) {
        self.scan += 1;
    }

    /// Whether this very file is labelled at this path; it is then known to be there still.
    pub(super) fn is_labelled(&mut self, path: &Path, seen: Seen) -> bool {
        match self.by_path.get_mut(path) {
            Some((scan, labelled)) if labelled.seen == seen && !self.stale.contains(&key(labelled)) => {
                *scan = self.scan;
                true
            }
            _ => false,
        }
    }

    /// A file was labelled at a path. What was there before is gone; where it was the same object, its label is replaced and comes back to be
    /// released.
    #[must_use]
    pub(super) fn insert(&mut self, path: PathBuf, labelled: Labelled) -> Option<Labelled> {
        let key = key(&labelled);
        self.stale.remove(&key);
        *self.live.entry(key).or_default() += 1;
        let (_, before) = self.by_path.insert(path, (self.scan, labelled))?;
        if self::key(&before) == key {
            self.count_down(key);
            return Some(before);
        }
        self.leave(before);
        None
    }

    /// Whether a path that is there leads to the object of a label.
    pub(super) fn is_live(&self, labelled: &Labelled) -> bool {
        self.live.contains_key(&key(labelled))
    }

    /// A scan ended: what it did not find is gone. Returns the labels that are to be taken away.
    pub(super) fn end(&mut self) -> Vec<Dropped> {
        let scan = self.scan;
        let left: Vec<_> = self.by_path.extract_if(|_, (at, _)| *at != scan).collect();
        for (_, (_, labelled)) in left {
            self.leave(labelled);
        }
        let mut dropped = Vec::new();
        while self.gone_count > GONE_MAX
            && let Some(labelled) = self.oldest_of_most()
        {
            self.gone_count -= 1;
            let is_last = !self.is_live(&labelled);
            if !is_last {
                self.stale.insert(key(&labelled));
            }
            dropped.push(Dropped { labelled, is_last });
        }
        dropped
    }

    fn leave(&mut self, labelled: Labelled) {
        self.count_down(key(&labelled));
        self.gone
            .entry(labelled.seen.owner)
            .or_default()
            .push_back(labelled);
        self.gone_count += 1;
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
mod tests {
    use super::*;

    fn file(inode: u64, owner: u32) -> Labelled {
        Labelled {
            seen: Seen {
                device: 1,
                inode,
                owner,
            },
            object: ObjectKey {
                inode,
                ..ObjectKey::default()
            },
            id: 7,
            names: None,
        }
    }

    #[test]
    fn what_is_gone_keeps_its_label_until_there_are_too_many() {
        let mut table = Table::default();
        table.begin();
        assert_eq!(table.insert("/root/key".into(), file(1, 0)), None);
        assert_eq!(table.end(), []);
        let mut dropped = Vec::new();
        for inode in 0..GONE_MAX as u64 + 10 {
            table.begin();
            assert_eq!(table.insert("/home/u/key".into(), file(100 + inode, 1000)), None);
            dropped.extend(table.end());
        }
        // Of the one who made so many, and his oldest; the one of root, gone before all of them, stays.
        let inodes: Vec<_> = dropped
            .iter()
            .map(|dropped| dropped.labelled.object.inode)
            .collect();
        assert_eq!(inodes, (100..110).collect::<Vec<_>>());
        assert!(dropped.iter().all(|dropped| dropped.is_last));
    }

    #[test]
    fn an_object_of_two_paths_keeps_a_label_that_stands_for_something() {
        let mut table = Table::default();
        let seen = file(1, 0).seen;
        table.begin();
        assert_eq!(table.insert("/a".into(), file(1, 0)), None);
        assert_eq!(table.insert("/b".into(), file(1, 0)), None);
        table.begin();
        assert!(table.is_labelled(Path::new("/a"), seen));
        assert!(
            !table.is_labelled(Path::new("/b"), file(2, 0).seen),
            "another file"
        );
        table.end();
        let mut dropped = Vec::new();
        for inode in 0..=GONE_MAX as u64 {
            table.begin();
            assert!(table.is_labelled(Path::new("/a"), seen));
            assert_eq!(table.insert("/c".into(), file(100 + inode, 0)), None);
            dropped.extend(table.end());
        }
        let [Dropped { labelled, is_last }] = dropped.as_slice() else {
            panic!("{dropped:?}")
        };
        assert_eq!(
            (labelled.object.inode, *is_last),
            (1, false),
            "/a leads there still"
        );
        table.begin();
        assert!(!table.is_labelled(Path::new("/a"), seen), "to be labelled anew");
        assert_eq!(table.insert("/a".into(), file(1, 0)), Some(file(1, 0)));
        assert!(table.is_labelled(Path::new("/a"), seen));
        assert!(table.is_live(&file(1, 0)));
        assert!(!table.is_live(&file(100, 0)));
    }
}
