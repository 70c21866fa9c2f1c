//! What the agent meant by each label that the kernel half hands back.

use std::{collections::HashMap, path::PathBuf};

use claviger_proto::catalogue::Entry;

/// Labels kept. At the bound nothing further is labelled, which is counted and said.
pub(super) const LABELS_MAX: usize = 262_144;

/// What a label stands for.
#[derive(Clone, Debug)]
pub(super) enum Meaning {
    /// A file that the catalogue names, found at this path.
    Credential {
        /// The catalogue's entry.
        entry: &'static Entry,
        /// Where it was found, or would lie.
        path: PathBuf,
    },
    /// A directory in which credentials can appear.
    Directory {
        /// Where it is.
        path: PathBuf,
    },
}

/// All labels ever set by this agent.
#[derive(Debug, Default)]
pub(super) struct Labels {
    meanings: Vec<Meaning>,
    ids: HashMap<PathBuf, u32>,
}

impl Labels {
    /// The id of a meaning: the same for the same path. Nothing where the table is full.
    pub(super) fn id_of(&mut self, meaning: Meaning) -> Option<u32> {
        let (Meaning::Credential { path, .. } | Meaning::Directory { path }) = &meaning;
        if let Some(&id) = self.ids.get(path) {
            return Some(id);
        }
        if self.meanings.len() >= LABELS_MAX {
            return None;
        }
        let id = u32::try_from(self.meanings.len()).ok()?;
        self.ids.insert(path.clone(), id);
        self.meanings.push(meaning);
        Some(id)
    }

    /// What a label stands for.
    #[must_use]
    pub(super) fn meaning(&self, id: u32) -> Option<&Meaning> {
        self.meanings.get(usize::try_from(id).ok()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_keeps_its_label() {
        let mut labels = Labels::default();
        let ssh = labels
            .id_of(Meaning::Directory {
                path: "/root/.ssh".into(),
            })
            .expect("room");
        let aws = labels
            .id_of(Meaning::Directory {
                path: "/root/.aws".into(),
            })
            .expect("room");
        assert_ne!(ssh, aws);
        assert_eq!(
            labels.id_of(Meaning::Directory {
                path: "/root/.ssh".into()
            }),
            Some(ssh)
        );
        assert!(matches!(labels.meaning(aws), Some(Meaning::Directory { path }) if path.ends_with(".aws")));
        assert!(labels.meaning(77).is_none());
    }
}
