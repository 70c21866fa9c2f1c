//! In which roots a program was seen to start, so that only a new one has the others looked at. Told by the kernel half of each program start.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use crate::decode::RootId;

/// Roots that are remembered. At the bound all are forgotten, and looked at again when they are met.
pub(in crate::agent) const MET_MAX: usize = 4_096;

/// Those that were met, and when first.
#[derive(Clone, Default)]
pub(super) struct Met(Arc<Mutex<HashMap<RootId, Instant>>>);

impl Met {
    /// A program started there; whether it is the first, as far as is remembered.
    pub(super) fn is_new(&self, root: RootId) -> bool {
        let mut known = self.known();
        if known.contains_key(&root) {
            return false;
        }
        if known.len() >= MET_MAX {
            known.clear();
        }
        known.insert(root, Instant::now());
        true
    }

    /// The next program that starts there is the first.
    pub(super) fn forget(&self, root: RootId) {
        self.known().remove(&root);
    }

    /// Forgets those that were met before a time and are there no more.
    pub(super) fn keep(&self, before: Instant, is_there: impl Fn(RootId) -> bool) {
        self.known().retain(|root, met| *met >= before || is_there(*root));
    }

    /// How many are remembered.
    pub(super) fn len(&self) -> usize {
        self.known().len()
    }

    fn known(&self) -> MutexGuard<'_, HashMap<RootId, Instant>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn root(namespace: u32, sequence: u64, inode: u64) -> RootId {
        RootId {
            namespace,
            sequence,
            device: 7,
            inode,
        }
    }

    #[test]
    fn a_root_is_new_once_until_it_is_gone() {
        let met = Met::default();
        let first = root(5, 1, 2);
        assert!(met.is_new(first) && !met.is_new(first));
        assert!(
            met.is_new(root(5, 1, 3)),
            "another directory of the same namespace"
        );
        assert!(
            met.is_new(root(5, 2, 2)),
            "another namespace under the same number"
        );
        met.forget(first);
        assert!(met.is_new(first));
        let before = Instant::now();
        assert!(met.is_new(root(6, 3, 2)));
        met.keep(before, |_| false);
        assert_eq!(met.len(), 1, "who came since may not have been looked for");
        assert!(!met.is_new(root(6, 3, 2)));
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let met = Met::default();
        let namespaces = 0..u32::try_from(MET_MAX).expect("few") + 1;
        assert!(
            namespaces
                .into_iter()
                .all(|namespace| met.is_new(root(namespace, 1, 2)))
        );
        assert_eq!(met.len(), 1);
    }
}
