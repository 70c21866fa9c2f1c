//! What is labelled at which path, and what was.
//!
//! A label follows its object: a credential that is moved out of the catalogue's places is still known. So the label of a file that has left its
//! path is kept, but only so many of them ([`GONE_MAX`]): whoever makes and removes files without end drives out his own, oldest first, for
//! the owner that has most gives.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
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
    /// Whether no other path has the same object labelled in the same way, so that it goes from the kernel half too.
    pub is_last: bool,
}

/// All labels.
#[derive(Debug, Default)]
pub(super) struct Table {
    by_path: HashMap<PathBuf, (u64, Labelled)>,
    gone: BTreeMap<u32, VecDeque<Labelled>>,
    gone_count: usize,
    /// How many paths, also of those that are gone, have an object labelled as a directory (true) or a file.
    holders: HashMap<(ObjectKey, bool), usize>,
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
            Some((scan, labelled)) if labelled.seen == seen => {
                *scan = self.scan;
                true
            }
            _ => false,
        }
    }

    /// A file was labelled at a path. What was there before is gone.
    pub(super) fn insert(&mut self, path: PathBuf, labelled: Labelled) {
        *self.holders.entry(key(&labelled)).or_default() += 1;
        if let Some((_, before)) = self.by_path.insert(path, (self.scan, labelled)) {
            self.leave(before);
        }
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
            let key = key(&labelled);
            let holders = self.holders.get(&key).map_or(0, |holders| holders - 1);
            if holders == 0 {
                self.holders.remove(&key);
            } else {
                self.holders.insert(key, holders);
            }
            dropped.push(Dropped {
                labelled,
                is_last: holders == 0,
            });
        }
        dropped
    }

    fn leave(&mut self, labelled: Labelled) {
        self.gone
            .entry(labelled.seen.owner)
            .or_default()
            .push_back(labelled);
        self.gone_count += 1;
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

fn key(labelled: &Labelled) -> (ObjectKey, bool) {
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
        table.insert("/root/key".into(), file(1, 0));
        assert_eq!(table.end(), []);
        let mut dropped = Vec::new();
        for inode in 0..GONE_MAX as u64 + 10 {
            table.begin();
            table.insert("/home/u/key".into(), file(100 + inode, 1000));
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
    fn an_object_of_two_paths_is_labelled_until_the_last_is_dropped() {
        let mut table = Table::default();
        table.begin();
        table.insert("/a".into(), file(1, 0));
        table.insert("/b".into(), file(1, 0));
        table.begin();
        assert!(table.is_labelled(Path::new("/a"), file(1, 0).seen));
        assert!(
            !table.is_labelled(Path::new("/b"), file(2, 0).seen),
            "another file"
        );
        table.end();
        for inode in 0..GONE_MAX as u64 {
            table.begin();
            assert!(table.is_labelled(Path::new("/a"), file(1, 0).seen));
            table.insert("/c".into(), file(100 + inode, 0));
            assert_eq!(table.end(), []);
        }
        table.begin();
        assert!(table.is_labelled(Path::new("/a"), file(1, 0).seen));
        let dropped = table.end();
        assert_eq!(dropped.len(), 1);
        assert_eq!(dropped[0].labelled.object.inode, 1);
        assert!(!dropped[0].is_last, "/a has it still");
    }
}
