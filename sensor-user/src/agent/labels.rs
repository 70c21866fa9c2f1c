//! What the agent meant by each label that the kernel half hands back.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    ops::Bound,
    path::{Path, PathBuf},
    sync::Arc,
};

use claviger_proto::catalogue::Entry;
use claviger_sensor_common::ObjectKey;

/// Labels kept. At the bound nothing further is labelled, which is counted and said.
pub(super) const LABELS_MAX: usize = 262_144;

/// What a label stands for.
#[derive(Clone, Debug)]
pub(super) enum Meaning {
    /// A file that the catalogue names, found at this path.
    Credential {
        /// The catalogue's entry.
        entry: Arc<Entry>,
        /// Where it was found, or would lie.
        path: PathBuf,
    },
    /// A file of the sensor itself, or a directory of such.
    Sensor {
        /// Where it is.
        path: PathBuf,
    },
    /// A directory in which credentials can appear.
    Directory {
        /// Where it is.
        path: PathBuf,
    },
}

impl Meaning {
    /// Where it is.
    fn path(&self) -> &Path {
        match self {
            Self::Credential { path, .. } | Self::Sensor { path } | Self::Directory { path } => path,
        }
    }
}

#[derive(Debug)]
struct Kept {
    meaning: Meaning,
    /// How many labels in the kernel half carry this id.
    holders: usize,
    /// For a credential: the file that lies there, as far as is known.
    lies: Option<ObjectKey>,
    /// The round in which the last of them let it go.
    released: u64,
}

/// All labels that may still be met. An id is never given twice: a record that is under way would be taken for another's.
#[derive(Debug, Default)]
pub(super) struct Labels {
    meanings: HashMap<u32, Kept>,
    /// By path, in order: what is below a directory follows it.
    ids: BTreeMap<PathBuf, u32>,
    next: u32,
    /// Calls of [`Labels::bury`].
    round: u64,
    /// What was let go, with the round; some may be held again.
    dying: VecDeque<(u64, u32)>,
}

impl Labels {
    /// The id of a meaning, held once more: the same for the same path. Nothing where the table is full.
    pub(super) fn hold(&mut self, meaning: Meaning) -> Option<u32> {
        let path = meaning.path();
        if let Some(&id) = self.ids.get(path)
            && let Some(kept) = self.meanings.get_mut(&id)
        {
            kept.holders += 1;
            kept.meaning = meaning;
            return Some(id);
        }
        if self.meanings.len() >= LABELS_MAX {
            return None;
        }
        let id = self.next;
        self.next = self.next.checked_add(1)?;
        self.ids.insert(path.to_owned(), id);
        let kept = Kept {
            meaning,
            holders: 1,
            lies: None,
            released: 0,
        };
        self.meanings.insert(id, kept);
        Some(id)
    }

    /// Holds an id once more; what it stands for. Nothing where that is forgotten.
    pub(super) fn hold_again(&mut self, id: u32) -> Option<&Meaning> {
        let kept = self.meanings.get_mut(&id)?;
        kept.holders += 1;
        Some(&kept.meaning)
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.meanings.len()
    }

    /// Held once less.
    pub(super) fn release(&mut self, id: u32) {
        if let Some(kept) = self.meanings.get_mut(&id) {
            kept.holders = kept.holders.saturating_sub(1);
            if kept.holders == 0 {
                kept.released = self.round;
                self.dying.push_back((self.round, id));
            }
        }
    }

    /// Forgets what nobody has held since before the last call: a record with its id may have been under way until then.
    pub(super) fn bury(&mut self) {
        self.round += 1;
        while let Some(&(round, id)) = self.dying.front()
            && round + 2 <= self.round
        {
            self.dying.pop_front();
            let is_dead = |kept: &Kept| kept.holders == 0 && kept.released == round;
            if self.meanings.get(&id).is_some_and(is_dead)
                && let Some(kept) = self.meanings.remove(&id)
            {
                self.ids.remove(kept.meaning.path());
            }
        }
    }

    /// Notes which file lies at the path of a label, or that none does.
    pub(super) fn lies(&mut self, path: &Path, object: Option<ObjectKey>) {
        if let Some(id) = self.ids.get(path)
            && let Some(kept) = self.meanings.get_mut(id)
        {
            kept.lies = object;
        }
    }

    /// Notes that this file lies at the path of a label, where it is not known what does.
    pub(super) fn lies_again(&mut self, path: &Path, object: ObjectKey) {
        if let Some(id) = self.ids.get(path)
            && let Some(kept) = self.meanings.get_mut(id)
        {
            let is_known = kept.lies.is_some_and(|lies| lies != ObjectKey::default());
            if !is_known {
                kept.lies = Some(object);
            }
        }
    }

    /// The credential that has this path, and the file that lies there, as far as is known.
    pub(super) fn credential_at(&self, path: &Path) -> Option<(Arc<Entry>, Option<ObjectKey>)> {
        let kept = self.meanings.get(self.ids.get(path)?)?;
        match &kept.meaning {
            Meaning::Credential { entry, .. } if kept.holders > 0 => Some((Arc::clone(entry), kept.lies)),
            _ => None,
        }
    }

    /// The credentials of which it is known that they lie below a directory: entry, path, file.
    pub(super) fn below(&self, directory: &Path) -> impl Iterator<Item = (&Arc<Entry>, &Path, ObjectKey)> {
        let after = self
            .ids
            .range::<Path, _>((Bound::Excluded(directory), Bound::Unbounded));
        let below = after.take_while(move |(path, _)| path.starts_with(directory));
        below.filter_map(|(path, id)| {
            let kept = self.meanings.get(id)?;
            match &kept.meaning {
                Meaning::Credential { entry, .. } if kept.holders > 0 => {
                    Some((entry, path.as_path(), kept.lies?))
                }
                _ => None,
            }
        })
    }

    /// Whether a directory of this path is labelled.
    pub(super) fn is_directory(&self, path: &Path) -> bool {
        let kept = self.ids.get(path).and_then(|id| self.meanings.get(id));
        kept.is_some_and(|kept| matches!(kept.meaning, Meaning::Directory { .. }))
    }

    /// What a label stands for.
    #[must_use]
    pub(super) fn meaning(&self, id: u32) -> Option<&Meaning> {
        self.meanings.get(&id).map(|kept| &kept.meaning)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn directory(path: &str) -> Meaning {
        Meaning::Directory { path: path.into() }
    }

    #[test]
    fn a_path_keeps_its_label() {
        let mut labels = Labels::default();
        let ssh = labels.hold(directory("/root/.ssh")).expect("room");
        let aws = labels.hold(directory("/root/.aws")).expect("room");
        assert_ne!(ssh, aws);
        assert_eq!(labels.hold(directory("/root/.ssh")), Some(ssh));
        assert!(matches!(labels.meaning(aws), Some(Meaning::Directory { path }) if path.ends_with(".aws")));
        assert!(labels.meaning(77).is_none());
    }

    #[test]
    fn what_nobody_holds_is_forgotten_after_a_while_and_its_id_never_given_again() {
        let mut labels = Labels::default();
        let first = labels.hold(directory("/a")).expect("room");
        assert_eq!(labels.hold(directory("/a")), Some(first));
        labels.release(first);
        labels.bury();
        labels.bury();
        assert!(labels.meaning(first).is_some(), "it is still held once");
        labels.release(first);
        assert!(labels.hold_again(first).is_some(), "it is not forgotten yet");
        labels.release(first);
        labels.bury();
        assert!(labels.meaning(first).is_some(), "a record may be under way");
        labels.bury();
        assert!(labels.meaning(first).is_none() && labels.hold_again(first).is_none());
        assert_ne!(labels.hold(directory("/a")), Some(first));
    }

    #[test]
    fn it_is_known_what_lies_at_a_path() {
        let mut labels = Labels::default();
        labels.hold(directory("/a")).expect("room");
        assert!(labels.is_directory(Path::new("/a")));
        assert!(!labels.is_directory(Path::new("/b")));
        assert!(labels.credential_at(Path::new("/a")).is_none());
        let catalogue = claviger_proto::catalogue::Catalogue::shipped();
        let entry = Arc::clone(&catalogue.entries()[0]);
        let path = PathBuf::from("/a/token");
        let meaning = Meaning::Credential {
            entry,
            path: path.clone(),
        };
        let id = labels.hold(meaning).expect("room");
        assert!(matches!(labels.credential_at(&path), Some((_, None))));
        let object = ObjectKey {
            inode: 5,
            ..ObjectKey::default()
        };
        labels.lies(&path, Some(object));
        assert!(matches!(labels.credential_at(&path), Some((_, Some(lies))) if lies == object));
        labels.lies(&path, None);
        assert!(matches!(labels.credential_at(&path), Some((_, None))));
        let lies_at = |labels: &Labels| labels.credential_at(&path).and_then(|(_, lies)| lies);
        labels.lies_again(&path, object);
        assert_eq!(lies_at(&labels), Some(object));
        labels.lies_again(&path, ObjectKey { inode: 6, ..object });
        assert_eq!(lies_at(&labels), Some(object), "what is known is known better");
        labels.lies(&path, Some(ObjectKey::default()));
        labels.lies_again(&path, object);
        assert_eq!(lies_at(&labels), Some(object), "something lay there");
        labels.release(id);
        assert!(labels.credential_at(&path).is_none(), "nobody holds it");
    }

    #[test]
    fn what_lies_below_a_directory_is_found_and_nothing_beside_it() {
        let mut labels = Labels::default();
        let catalogue = claviger_proto::catalogue::Catalogue::shipped();
        let entry = Arc::clone(&catalogue.entries()[0]);
        let object = ObjectKey {
            inode: 5,
            ..ObjectKey::default()
        };
        for path in [
            "/h/.ssh/a",
            "/h/.ssh-old/b",
            "/h/.ssh/deep/c",
            "/h/.ssh/empty",
            "/h/.sshd",
        ] {
            labels.hold(Meaning::Credential {
                entry: Arc::clone(&entry),
                path: path.into(),
            });
            labels.lies(Path::new(path), (!path.ends_with("empty")).then_some(object));
        }
        labels.hold(directory("/h/.ssh/deep"));
        let below = |path: &str| -> Vec<_> {
            let found = labels.below(Path::new(path));
            found.map(|(_, path, _)| path.to_owned()).collect()
        };
        assert_eq!(
            below("/h/.ssh"),
            [Path::new("/h/.ssh/a"), Path::new("/h/.ssh/deep/c")]
        );
        assert_eq!(below("/h").len(), 4);
        assert!(below("/h/.ssh/a").is_empty() && below("/i").is_empty());
    }

    #[test]
    fn what_comes_back_is_kept() {
        let mut labels = Labels::default();
        let id = labels.hold(directory("/a")).expect("room");
        labels.release(id);
        labels.bury();
        assert_eq!(labels.hold(directory("/a")), Some(id));
        labels.bury();
        assert!(labels.meaning(id).is_some());
        labels.release(id);
        labels.bury();
        assert!(labels.meaning(id).is_some(), "let go anew, it is awaited anew");
    }
}
