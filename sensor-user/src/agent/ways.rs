//! Directories whose names matter though no credential need lie in them: one that appears there leads on, as `~/.aws` when `aws configure` makes
//! it, or a credential lies there that only the search of the host has found.
//!
//! The kernel half is told of them and tells what appears in them, which brings the next scan forward; that then sees what is true. At most
//! [`WAYS_MAX`] are told: what appears in the others waits for the regular scan.

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;

use claviger_sensor_common::{ObjectKey, WAYS_MAX};

use super::{
    hands::Hands,
    labelled::Root,
    labelling::{Below, very_one},
};
use crate::{
    credential::{Held, OpenError, Seen, Way},
    kernel::{Labeller, Purpose},
};

/// Those that the kernel half was told of.
#[derive(Default)]
pub(super) struct Ways {
    told: HashMap<Root, HashMap<Seen, ObjectKey>>,
    is_full: bool,
}

/// Those of one root so far.
#[derive(Default)]
pub(super) struct Watched {
    now: HashMap<Seen, ObjectKey>,
    paths: HashMap<ObjectKey, PathBuf>,
    is_full: bool,
}

impl Watched {
    fn take(&mut self, way: &Way, object: ObjectKey) {
        self.now.insert(way.seen, object);
        self.paths.insert(object, way.path.clone());
    }
}

impl Ways {
    /// Has the kernel half know a directory below a root.
    pub(super) fn watch(
        &self,
        (labeller, hands): (&mut Labeller, &mut Hands),
        root: Root,
        below: &Below,
        way: &Way,
        watched: &mut Watched,
    ) {
        let told = self.told.get(&root).and_then(|told| told.get(&way.seen));
        if let Some(known) = watched.now.get(&way.seen).or(told).copied() {
            watched.take(way, known);
            return;
        }
        let of_others = self.told.iter().filter(|(other, _)| **other != root);
        let others: usize = of_others.map(|(_, told)| told.len()).sum();
        if others + watched.now.len() >= WAYS_MAX as usize {
            watched.is_full = true;
            return;
        }
        let open = very_one(&below.root, &way.path, way.seen, Held::open_directory);
        match hands.ask(labeller, Purpose::Way, &below.reach(&way.path), open) {
            Ok((Ok(_), Some(object))) => watched.take(way, object),
            // It may have been told of while nobody waited for that any more.
            Ok((Err(OpenError::Hangs), Some(object))) => watched.take(way, object),
            // It is gone, or another, or hangs.
            Ok((Err(_), _)) => {}
            Ok((Ok(_), None)) => watched.is_full = true,
            Err(error) => tracing::debug!(%error, "a directory cannot be watched"),
        }
    }

    /// Those of a root are told of: it has no others. Returns those that the kernel half knows, by its numbers.
    pub(super) fn end(
        &mut self,
        labeller: &mut Labeller,
        root: Root,
        watched: Watched,
    ) -> HashMap<ObjectKey, PathBuf> {
        if watched.is_full {
            self.say_full();
        }
        for object in self.replace(root, watched.now) {
            if let Err(error) = labeller.forget_way(object) {
                tracing::warn!(%error, "a directory that matters no longer stays watched");
            }
        }
        watched.paths
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
                let seen = |inode: u64| Seen { device: 1, inode, ..Seen::default() };
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
