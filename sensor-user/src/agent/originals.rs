//! What the contents of credentials are known by, so that a copy of one is. No file: contents are handed in as fingerprints.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use claviger_proto::catalogue::Entry;
use claviger_sensor_common::ObjectKey;

use crate::credential::Fingerprint;

/// Credentials whose content is known. At the bound the one that was read longest ago is forgotten: a copy of it is not known as one until it is
/// read again.
pub(super) const ORIGINALS_MAX: usize = 16_384;

struct Original {
    content: Fingerprint,
    entry: Arc<Entry>,
    /// Its place in the order.
    number: u64,
}

/// The newest content of each.
#[derive(Default)]
pub(super) struct Originals {
    of: HashMap<ObjectKey, Original>,
    /// The last of those that have this content.
    by: HashMap<Fingerprint, ObjectKey>,
    /// How many are so long.
    lengths: BTreeMap<usize, usize>,
    order: BTreeMap<u64, ObjectKey>,
    last_number: u64,
}

impl Originals {
    /// An object has this content now, or one that proves nothing.
    pub(super) fn set(&mut self, object: ObjectKey, content: Option<Fingerprint>, entry: &Arc<Entry>) {
        self.forget(object);
        let Some(content) = content else { return };
        if self.of.len() >= ORIGINALS_MAX
            && let Some(oldest) = self.order.first_key_value().map(|(_, object)| *object)
        {
            self.forget(oldest);
        }
        self.last_number += 1;
        let original = Original {
            content,
            entry: Arc::clone(entry),
            number: self.last_number,
        };
        self.order.insert(original.number, object);
        self.of.insert(object, original);
        self.by.insert(content, object);
        *self.lengths.entry(content.length()).or_default() += 1;
    }

    /// Whether a file of this size may be a copy of one.
    pub(super) fn may_hold_one(&self, bytes: u64) -> bool {
        self.lengths
            .range(Fingerprint::lengths_in(bytes))
            .next()
            .is_some()
    }

    /// Of which entry of the catalogue the credential is that has this content.
    pub(super) fn entry_of(&self, content: Fingerprint) -> Option<&Arc<Entry>> {
        let object = self.by.get(&content)?;
        self.of.get(object).map(|original| &original.entry)
    }

    fn forget(&mut self, object: ObjectKey) {
        let Some(original) = self.of.remove(&object) else {
            return;
        };
        self.order.remove(&original.number);
        let length = original.content.length();
        if let Some(count) = self.lengths.get_mut(&length) {
            *count -= 1;
            if *count == 0 {
                self.lengths.remove(&length);
            }
        }
        if self.by.get(&original.content) == Some(&object) {
            self.by.remove(&original.content);
        }
    }
}

#[cfg(test)]
mod tests {
    use claviger_proto::catalogue::Catalogue;

    use super::*;
    use crate::credential::Fingerprints;

    fn object(inode: u64) -> ObjectKey {
        ObjectKey {
            inode,
            ..ObjectKey::default()
        }
    }

    fn entry() -> Arc<Entry> {
        Arc::clone(&Catalogue::shipped().entries()[0])
    }

    #[test]
    fn a_content_is_known_until_it_changes() {
        let make = Fingerprints::new().expect("random numbers");
        let before = make.of(b"a decoy of thirty-two characters");
        let after =
            make.of(b"another decoy, which is longer by far than sixty-four bytes beside the one before it");
        let mut originals = Originals::default();
        originals.set(object(1), before, &entry());
        let before = before.expect("long enough");
        assert!(originals.entry_of(before).is_some());
        assert!(originals.may_hold_one(33) && !originals.may_hold_one(31));
        originals.set(object(1), after, &entry());
        assert!(originals.entry_of(before).is_none() && !originals.may_hold_one(33));
        assert!(originals.entry_of(after.expect("long enough")).is_some());
        originals.set(object(1), None, &entry());
        assert!(originals.of.is_empty() && originals.by.is_empty());
        assert!(originals.lengths.is_empty() && originals.order.is_empty());
    }

    #[test]
    fn what_is_known_is_bounded() {
        let make = Fingerprints::new().expect("random numbers");
        let content = |inode: u64| make.of(format!("a decoy of its own, number {inode}").as_bytes());
        let mut originals = Originals::default();
        let last = ORIGINALS_MAX as u64;
        for inode in 0..=last {
            originals.set(object(inode), content(inode), &entry());
        }
        assert_eq!(originals.of.len(), ORIGINALS_MAX);
        let knows = |inode| {
            content(inode)
                .and_then(|content| originals.entry_of(content))
                .is_some()
        };
        assert!(!knows(0) && knows(1) && knows(last));
    }
}
