//! Setting one label, and taking one away.

use std::{ffi::OsStr, os::fd::OwnedFd, os::unix::ffi::OsStrExt as _, path::Path, sync::Arc};

use claviger_proto::catalogue::Entry;
use claviger_sensor_common::{
    DIRECTORY_HAS_PATTERNS, DIRECTORY_LEADS_ON, DIRECTORY_OF_CREDENTIALS, Label, NameKey, ObjectKey,
    name_hash, padded_name,
};

use super::{Done, Labelling, slices::Below};
use crate::{
    agent::{
        labelled::{Dropped, Labelled, Root},
        labels::Meaning,
        publicly::{Opened, Public},
    },
    credential::{Candidate, Held, LabelledDirectory, OpenError, Seen},
    kernel::{LabelError, Purpose},
};

impl Labelling {
    pub(super) fn label_directory(
        &mut self,
        root: Root,
        directory: &Below,
        found: &LabelledDirectory,
    ) -> Done {
        // A link that leads there makes a name one of a credential's, whatever else is.
        let names = found.names.iter().filter_map(|(name, _)| padded_name(name));
        let names = names.map(|padded| name_hash(&padded)).collect();
        if self.table.watches(root, &found.path, &names)
            && self.table.is_labelled(root, &found.path, found.seen)
        {
            return Done::Yes;
        }
        let Some(id) = self.knowledge.labels().hold(Meaning::Directory {
            path: found.path.clone(),
        }) else {
            return Done::No;
        };
        let mut flags = 0;
        if found.has_patterns {
            flags |= DIRECTORY_HAS_PATTERNS;
        }
        if found.is_for_credentials {
            flags |= DIRECTORY_OF_CREDENTIALS;
        }
        if found.leads_on {
            flags |= DIRECTORY_LEADS_ON;
        }
        let label = Purpose::Directory(Label { id, flags });
        let open = very_one(&directory.root, &found.path, found.seen, Held::open_directory);
        let at = directory.reach(&found.path);
        let object = match self.hands.ask(&mut self.labeller, label, &at, open) {
            Ok((Ok(_), Some(object))) => object,
            asked => return self.undo(id, &asked, true),
        };
        let mut labelled = Labelled {
            seen: found.seen,
            object,
            id,
            names: None,
        };
        let mut names = Vec::with_capacity(found.names.len());
        let watched = found.names.iter().try_for_each(|(name, entry)| {
            let watched = self.watch_name(object, &found.path, name, entry)?;
            names.push(watched);
            Some(())
        });
        labelled.names = Some(names);
        if watched.is_none() {
            let is_last = !self.table.is_live(&labelled);
            self.drop_label(Dropped { labelled, is_last });
            return Done::No;
        }
        self.keep(root, &found.path, labelled);
        Done::Yes
    }

    fn watch_name(
        &mut self,
        directory: ObjectKey,
        path: &Path,
        name: &[u8],
        entry: &Arc<Entry>,
    ) -> Option<(u64, u32)> {
        let name_hash = padded_name(name).map(|padded| name_hash(&padded))?;
        let path = path.join(OsStr::from_bytes(name));
        let id = self.knowledge.labels().hold(Meaning::Credential {
            entry: Arc::clone(entry),
            path,
        })?;
        let key = NameKey { directory, name_hash };
        if let Err(error) = self.labeller.watch_name(key, Label { id, flags: 0 }) {
            tracing::debug!(%error, "a name cannot be watched");
            self.knowledge.labels().release(id);
            return None;
        }
        Some((name_hash, id))
    }

    pub(super) fn label_file(
        &mut self,
        root: Root,
        directory: &Below,
        found: &Candidate,
        public: &mut Public,
    ) -> Done {
        // What a place of the catalogue names is what that says, not what a search of everything would call it.
        if root == Root::Search && self.table.holds(Root::Host, &found.path, found.seen) {
            return Done::Gone;
        }
        if self.table.is_labelled(root, &found.path, found.seen) {
            // It may have been away since the last look.
            if root == Root::Host
                && let Some(object) = self.table.object_at(root, &found.path)
            {
                self.knowledge.labels().lies_again(&found.path, object);
            }
            return Done::Yes;
        }
        let Some(id) = self.knowledge.labels().hold(Meaning::Credential {
            entry: Arc::clone(&found.entry),
            path: found.path.clone(),
        }) else {
            return Done::No;
        };
        let label = Purpose::Object(Label { id, flags: 0 });
        let open = very_one(&directory.root, &found.path, found.seen, Opened::of);
        let at = directory.reach(&found.path);
        match self.hands.ask(&mut self.labeller, label, &at, open) {
            Ok((Ok(file), Some(object))) => {
                self.memory.met(object, file.handle().cloned());
                // Read now, so that it can still be named when it is gone right after its use.
                public.of_file((&mut self.hands, &at), object, &found.entry, &found.path, file);
                let labelled = Labelled {
                    seen: found.seen,
                    object,
                    id,
                    names: None,
                };
                self.keep(root, &found.path, labelled);
                // In another tree another file lies at the same path.
                if !matches!(root, Root::Other(_)) {
                    self.knowledge.labels().lies(&found.path, Some(object));
                }
                Done::Yes
            }
            asked => self.undo(id, &asked, false),
        }
    }

    /// No label was set, or one on what then could not be opened, which goes again. What came of that path.
    pub(super) fn undo<T>(
        &mut self,
        id: u32,
        asked: &Result<(Result<T, OpenError>, Option<ObjectKey>), LabelError>,
        is_directory: bool,
    ) -> Done {
        self.knowledge.labels().release(id);
        if let Ok((Err(_), Some(object))) = asked
            && !self.table.renew(*object, is_directory)
        {
            let forgotten = if is_directory {
                self.labeller.forget_directory(*object)
            } else {
                self.labeller.forget_object(*object)
            };
            if let Err(error) = forgotten {
                tracing::warn!(%error, "a label of what cannot be opened stays");
            }
        }
        match asked {
            Ok((Err(OpenError::Hangs), _)) => Done::Hangs,
            Ok((Err(_), _)) => Done::Gone,
            Ok((Ok(_), _)) | Err(_) => Done::No,
        }
    }

    pub(super) fn keep(&mut self, root: Root, path: &Path, labelled: Labelled) {
        if let Some(replaced) = self.table.insert(root, path.to_owned(), labelled) {
            self.drop_label(Dropped {
                labelled: replaced,
                is_last: false,
            });
        }
    }

    /// Names of directories that were labelled anew or have left a path, and that no path watches any more.
    pub(super) fn forget_names(&mut self) {
        if self.replaced_names.is_empty() {
            return;
        }
        for name in self.table.watched_names() {
            self.replaced_names.remove(&name);
        }
        for name in std::mem::take(&mut self.replaced_names) {
            if let Err(error) = self.labeller.forget_name(name) {
                tracing::warn!(%error, "a name that is no longer a credential's stays watched");
            }
        }
    }

    /// Takes a label away; from the kernel half only where no path leads to the object any more.
    pub(super) fn drop_label(&mut self, dropped: Dropped) {
        let Dropped { labelled, is_last } = dropped;
        let mut removed: Result<(), LabelError> = Ok(());
        if is_last {
            removed = if labelled.names.is_some() {
                self.labeller.forget_directory(labelled.object)
            } else {
                self.memory.forget(labelled.object);
                self.labeller.forget_object(labelled.object)
            };
        }
        for (name_hash, id) in labelled.names.into_iter().flatten() {
            let directory = labelled.object;
            let name = NameKey { directory, name_hash };
            if is_last {
                removed = removed.and(self.labeller.forget_name(name));
            } else {
                self.replaced_names.insert(name);
            }
            self.knowledge.labels().release(id);
        }
        self.knowledge.labels().release(labelled.id);
        self.copies.remove(&labelled.id);
        if let Err(error) = removed {
            tracing::warn!(%error, "a label that is no longer needed stays");
        }
    }
}

/// Opens what was seen at a path, and nothing that has taken its place.
pub(in crate::agent) fn very_one<T>(
    root: &Arc<OwnedFd>,
    path: &Path,
    seen: Seen,
    open: fn(&Held) -> Result<T, OpenError>,
) -> impl FnOnce() -> Result<T, OpenError> + Send + use<T> {
    let (root, path) = (Arc::clone(root), path.to_owned());
    move || {
        let held = Held::at(&*root, &path)?;
        if held.seen() == seen {
            open(&held)
        } else {
            Err(OpenError::Gone)
        }
    }
}
