//! Which files have come to lie at credentials' places, as their uses and changes tell, until the agent has looked.
//!
//! The kernel half labels a file in a directory of credentials as such, and does not know whether its name is a credential's. What the name was is in the record
//! that tells how it came there; a later use may be by another name.

use std::{
    collections::{HashMap, VecDeque},
    path::PathBuf,
    sync::Arc,
};

use claviger_proto::catalogue::Entry;
use claviger_sensor_common::ObjectKey;

/// Files that are known so. At the bound the oldest is forgotten, and known by its name alone.
pub(super) const PLACED_MAX: usize = 8_192;

/// Them.
#[derive(Debug, Default)]
pub(super) struct Placed {
    files: HashMap<ObjectKey, (Arc<Entry>, PathBuf)>,
    order: VecDeque<ObjectKey>,
}

impl Placed {
    /// A file lies, or lay, at the path of a credential.
    pub(super) fn set(&mut self, object: ObjectKey, entry: &Arc<Entry>, path: PathBuf) {
        if self.files.insert(object, (Arc::clone(entry), path)).is_some() {
            return;
        }
        self.order.push_back(object);
        if self.order.len() > PLACED_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.files.remove(&oldest);
        }
    }

    /// As what it lay there.
    pub(super) fn get(&self, object: ObjectKey) -> Option<(Arc<Entry>, PathBuf)> {
        self.files.get(&object).cloned()
    }

    /// Another catalogue holds: what entries stood for is not what they stand for.
    pub(super) fn clear(&mut self) {
        self.files.clear();
        self.order.clear();
    }
}

#[cfg(test)]
mod tests {
    use claviger_proto::catalogue::Catalogue;

    use super::*;

    #[test]
    fn what_lay_where_is_known_of_the_newest() {
        let entry = Arc::clone(&Catalogue::shipped().entries()[0]);
        let object = |inode| ObjectKey {
            inode,
            ..ObjectKey::default()
        };
        let mut placed = Placed::default();
        for inode in 0..=PLACED_MAX as u64 {
            placed.set(object(inode), &entry, format!("/{inode}").into());
        }
        placed.set(object(1), &entry, "/other".into());
        assert!(placed.get(object(0)).is_none(), "the oldest");
        assert_eq!(placed.get(object(1)).map(|(_, path)| path), Some("/other".into()));
        assert_eq!(placed.order.len(), PLACED_MAX);
        placed.clear();
        assert!(placed.get(object(1)).is_none() && placed.order.is_empty());
    }
}
