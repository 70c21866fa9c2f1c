//! What the kernel half has labelled by itself, by the name at which a file came to lie.
//!
//! What lies there still is labelled anew by the scan that finds it. What does not is kept as everything that has left its path is, so the same bound
//! holds for it; and what is in a directory of credentials by another name than one's loses its label.

use std::{
    collections::HashSet,
    mem,
    path::{Path, PathBuf},
    sync::Arc,
};

use claviger_proto::catalogue::Entry;
use claviger_sensor_common::ObjectKey;

use super::Labelling;
use crate::{
    agent::{labelled::Labelled, labels::Meaning},
    credential::Seen,
    kernel::LabelError,
};

/// Whose such a file is was not looked at: of them all, the oldest makes room first.
const NOBODY: u32 = u32::MAX;

/// What was met.
#[derive(Default)]
pub(super) struct Taken {
    /// How many the kernel half had labelled when it was asked last.
    count: u64,
    /// How many of them were looked after.
    looked_after: u64,
    /// Those that no scan had found then: the one under way may have begun before they came, and what a record tells of them may not have been read.
    strange: HashSet<ObjectKey>,
}

/// What becomes of one.
enum Becomes {
    /// It is this credential, by the id that it has.
    Kept(u32),
    /// It is this credential.
    Called(Arc<Entry>, PathBuf),
    /// It is none.
    Nothing,
}

impl Labelling {
    /// Takes over what the kernel half has labelled, once a scan has not found it.
    pub(super) fn take_over(&mut self) {
        if let Err(error) = self.try_to_take_over() {
            tracing::warn!(%error, "labels that were set by name alone are not looked after");
        }
    }

    fn try_to_take_over(&mut self) -> Result<(), LabelError> {
        let count = self.labeller.taken()?;
        if count == self.taken.looked_after {
            return Ok(());
        }
        let known = self.table.objects();
        let unknown: HashSet<_> = self
            .labeller
            .objects()
            .filter(|one| !known.contains(one))
            .collect();
        let (again, strange): (Vec<_>, HashSet<_>) = {
            let before = mem::take(&mut self.taken.strange);
            let (again, new): (Vec<_>, Vec<_>) = unknown.into_iter().partition(|one| before.contains(one));
            (again, new.into_iter().collect())
        };
        self.taken.strange = strange;
        for object in again {
            self.adopt(object)?;
        }
        // Those of the time before.
        self.taken.looked_after = mem::replace(&mut self.taken.count, count);
        self.labeller.looked_after(self.taken.looked_after)
    }

    fn adopt(&mut self, object: ObjectKey) -> Result<(), LabelError> {
        let Some(label) = self.labeller.label_of(object) else {
            return Ok(());
        };
        let id = match self.becomes(object, label.id) {
            Becomes::Kept(id) => id,
            Becomes::Called(entry, path) => {
                let Some(id) = self.knowledge.labels().hold(Meaning::Credential { entry, path }) else {
                    return self.labeller.forget_object(object);
                };
                if !self.labeller.relabel(object, id)? {
                    self.knowledge.labels().release(id);
                    return Ok(());
                }
                id
            }
            Becomes::Nothing => return self.labeller.forget_object(object),
        };
        self.table.adopt(Labelled {
            seen: Seen {
                owner: NOBODY,
                ..Seen::default()
            },
            object,
            id,
            names: None,
        });
        Ok(())
    }

    fn becomes(&self, object: ObjectKey, id: u32) -> Becomes {
        let mut labels = self.knowledge.labels();
        let directory: &Path = match labels.meaning(id) {
            Some(Meaning::Credential { .. }) => {
                labels.hold_again(id);
                return Becomes::Kept(id);
            }
            Some(Meaning::Directory { path }) => path,
            Some(Meaning::Sensor { .. }) | None => return Becomes::Nothing,
        };
        let placed = self.knowledge.placed().get(object);
        match placed {
            Some((entry, path)) if path.starts_with(directory) => Becomes::Called(entry, path),
            _ => Becomes::Nothing,
        }
    }
}
