//! In which roots a program was seen to start, so that only a new one has the others looked at. Told by the kernel half of each program start.
//!
//! Of each it is known whether it was looked into in time. Until then what is read in it is seen only where it is known from elsewhere, so those that were not are
//! counted. A root that is the host's, in a mount namespace of its own, is none of them: its files are known.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use crate::{attribute::ProcessDirectory, decode::RootId};

/// Roots that are remembered. At the bound all are forgotten, and looked at again when they are met.
pub(in crate::agent) const MET_MAX: usize = 4_096;

/// A look that begins later than this after the first program's start is too late for what containers do at once.
const IN_TIME: Duration = Duration::from_millis(500);

/// Those that were met.
#[derive(Clone, Default)]
pub(super) struct Met(Arc<Mutex<Roots>>);

#[derive(Default)]
struct Roots {
    known: HashMap<RootId, Known>,
    /// How many were not looked into in time, and not told of yet.
    missed: u64,
    /// Device, in the kernel's encoding, and inode of the own root, once that is known.
    own: Option<(u32, u64)>,
}

/// One that was met.
struct Known {
    /// When first.
    since: Instant,
    /// Nobody has looked into it.
    waits: bool,
}

impl Roots {
    fn looked_into(&mut self, root: RootId, now: Instant) {
        if let Some(known) = self.known.get_mut(&root)
            && std::mem::take(&mut known.waits)
            && now.saturating_duration_since(known.since) > IN_TIME
        {
            self.missed += 1;
        }
    }

    fn is_own(&mut self, root: RootId) -> bool {
        let own = self.own.or_else(|| {
            let own = ProcessDirectory::own()?.identity("root")?;
            Some((own.device.0 << 20 | own.device.1, own.inode))
        });
        self.own = own;
        own == Some((root.device, root.inode))
    }
}

impl Met {
    /// A program started there; whether it is the first, as far as is remembered.
    pub(super) fn is_new(&self, root: RootId) -> bool {
        let mut roots = self.roots();
        if roots.known.contains_key(&root) {
            return false;
        }
        if roots.known.len() >= MET_MAX {
            roots.missed += waiting(roots.known.values());
            roots.known.clear();
        }
        let waits = !roots.is_own(root);
        let since = Instant::now();
        roots.known.insert(root, Known { since, waits });
        true
    }

    /// It is looked into from now on.
    pub(super) fn looked_into(&self, root: RootId, now: Instant) {
        self.roots().looked_into(root, now);
    }

    /// The next program that starts there is the first.
    pub(super) fn forget(&self, root: RootId) {
        let mut roots = self.roots();
        let forgotten = roots.known.remove(&root);
        roots.missed += waiting(forgotten.iter());
    }

    /// All that are there are looked into now. Forgets those that were met before and are there no more.
    pub(super) fn keep(&self, before: Instant, is_there: impl Fn(RootId) -> bool) {
        let mut roots = self.roots();
        let old = roots.known.iter().filter(|(_, known)| known.since < before);
        let (there, gone): (Vec<_>, Vec<_>) = old.map(|(root, _)| *root).partition(|root| is_there(*root));
        for root in there {
            roots.looked_into(root, before);
        }
        for root in gone {
            let forgotten = roots.known.remove(&root);
            roots.missed += waiting(forgotten.iter());
        }
    }

    /// How many are remembered.
    pub(super) fn len(&self) -> usize {
        self.roots().known.len()
    }

    /// How many were not looked into in time since this was asked last.
    pub(super) fn take_missed(&self) -> u64 {
        std::mem::take(&mut self.roots().missed)
    }

    fn roots(&self) -> MutexGuard<'_, Roots> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn waiting<'a>(known: impl Iterator<Item = &'a Known>) -> u64 {
    known.map(|known| u64::from(known.waits)).sum()
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
    fn those_that_were_not_looked_into_in_time_are_counted_once() {
        let met = Met::default();
        let (in_time, late, gone, own) = (root(1, 1, 2), root(2, 2, 2), root(3, 3, 2), root(4, 4, 9));
        met.roots().own = Some((7, 9));
        for root in [in_time, late, gone, own] {
            assert!(met.is_new(root));
        }
        let now = Instant::now();
        met.looked_into(in_time, now);
        met.looked_into(late, now + 2 * IN_TIME);
        met.looked_into(late, now + 3 * IN_TIME);
        assert_eq!(met.take_missed(), 1);
        met.forget(gone);
        met.forget(own);
        met.forget(in_time);
        assert_eq!(met.take_missed(), 1);
        assert_eq!(met.take_missed(), 0);
        for root in [in_time, late, gone] {
            met.is_new(root);
        }
        met.keep(Instant::now() + 2 * IN_TIME, |root| root == late);
        assert_eq!(met.take_missed(), 2, "one is looked into late, and one is gone");
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
