//! Directories whose names matter though no credential need lie in them: one that appears there leads on, as `~/.aws` when `aws configure` makes
//! it, or a credential lies there that only the search of the host has found.
//!
//! The kernel half is told of them and tells what appears in them, which brings the next scan forward; that then sees what is true. At most
//! [`WAYS_MAX`] are told: what appears in the others waits for the regular scan.

use std::{
    collections::{HashMap, HashSet},
    os::fd::OwnedFd,
    path::PathBuf,
};

use claviger_sensor_common::{ObjectKey, WAYS_MAX};

use super::labelled::Root;
use crate::{
    credential::{Held, Seen},
    kernel::{Labeller, Purpose},
};

/// Those that the kernel half was told of.
#[derive(Default)]
pub(super) struct Ways {
    told: HashMap<Root, HashMap<Seen, ObjectKey>>,
    is_full: bool,
}

impl Ways {
    /// Has the kernel half know these directories below a root, and no others of that root. Returns those that it knows, by its numbers.
    pub(super) fn watch(
        &mut self,
        labeller: &mut Labeller,
        root: Root,
        directory: &OwnedFd,
        wanted: &HashSet<PathBuf>,
    ) -> HashMap<ObjectKey, PathBuf> {
        let mut now = HashMap::with_capacity(wanted.len());
        let mut paths = HashMap::with_capacity(wanted.len());
        let of_others = self.told.iter().filter(|(other, _)| **other != root);
        let others: usize = of_others.map(|(_, told)| told.len()).sum();
        for path in wanted {
            let Ok(held) = Held::at(directory, path) else {
                continue;
            };
            let seen = held.seen();
            if let Some(known) = self.told.get(&root).and_then(|told| told.get(&seen)) {
                now.insert(seen, *known);
                paths.insert(*known, path.clone());
                continue;
            }
            if others + now.len() >= WAYS_MAX as usize {
                self.say_full();
                break;
            }
            match labeller.ask(Purpose::Way, || held.open_directory()) {
                Ok((Ok(_), Some(object))) => {
                    now.insert(seen, object);
                    paths.insert(object, path.clone());
                }
                // It is gone, or no directory any more.
                Ok((Err(_), _)) => {}
                Ok((Ok(_), None)) => self.say_full(),
                Err(error) => tracing::debug!(%error, "a directory cannot be watched"),
            }
        }
        for object in self.replace(root, now) {
            if let Err(error) = labeller.forget_way(object) {
                tracing::warn!(%error, "a directory that matters no longer stays watched");
            }
        }
        paths
    }

    /// Takes up what a root has now. Returns what no root has any more.
    fn replace(&mut self, root: Root, now: HashMap<Seen, ObjectKey>) -> Vec<ObjectKey> {
        let before = self.told.insert(root, now).unwrap_or_default();
        let kept: HashSet<ObjectKey> = self.told.values().flat_map(HashMap::values).copied().collect();
        let gone: HashSet<ObjectKey> = before.into_values().collect();
        gone.difference(&kept).copied().collect()
    }

    fn say_full(&mut self) {
        if !std::mem::replace(&mut self.is_full, true) {
            tracing::warn!(
                "not every directory can be watched for new ones: what appears in the others is noticed by the regular scan"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_kernel_half_knows_what_some_root_has_and_nothing_else(
            scans in proptest::collection::vec((0..2_usize, proptest::collection::vec(0..6_u64, 0..5)), 1..30)
        ) {
            let mut ways = Ways::default();
            let mut kernel = HashSet::new();
            let mut model: HashMap<usize, HashSet<u64>> = HashMap::new();
            for (root, inodes) in scans {
                let at = [Root::Host, Root::Search][root];
                let key = |inode: u64| ObjectKey { inode, device: 1, generation: 0 };
                let seen = |inode: u64| Seen { device: 1, inode, owner: 0 };
                let now = inodes.iter().map(|inode| (seen(*inode), key(*inode))).collect();
                kernel.extend(inodes.iter().map(|inode| key(*inode)));
                for gone in ways.replace(at, now) {
                    kernel.remove(&gone);
                }
                model.insert(root, inodes.into_iter().collect());
                let wanted: HashSet<_> = model.values().flatten().map(|inode| key(*inode)).collect();
                prop_assert_eq!(&kernel, &wanted);
            }
        }
    }
}
