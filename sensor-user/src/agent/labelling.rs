//! Labelling what a scan found, and only that: of each path the file that the scan saw there, whatever took its place since.

use std::{
    collections::HashSet,
    ffi::OsStr,
    os::{fd::OwnedFd, unix::ffi::OsStrExt as _},
    path::{Path, PathBuf},
    sync::Arc,
};

use claviger_proto::catalogue::{Catalogue, Entry};
use claviger_sensor_common::{DIRECTORY_HAS_PATTERNS, Label, NameKey, ObjectKey, name_hash, padded_name};
use rustix::fs::{Mode, OFlags};

use super::{
    labelled::{Dropped, Labelled, Root, Table},
    labels::Meaning,
    publicly::Public,
    worker::{Knowledge, ScanCounts},
};
use crate::{
    credential::{Candidate, Held, Home, LabelledDirectory, Places, ScanLimits, homes},
    kernel::{LabelError, Labeller, Purpose},
};

/// Scans and labels.
pub(super) struct Labelling {
    pub(super) labeller: Labeller,
    knowledge: Knowledge,
    catalogue: Arc<Catalogue>,
    homes: Vec<Home>,
    extra_homes: Vec<PathBuf>,
    table: Table,
    /// Names whose labels were replaced in this scan; some may be watched by another path.
    replaced_names: HashSet<NameKey>,
    said: ScanCounts,
}

/// What came of one path.
enum Done {
    /// It is labelled.
    Yes,
    /// Nothing is there, or nothing that can be opened, or another file than the scan saw: the next scan will see.
    Gone,
    /// A table is full, or the hook did not answer.
    No,
}

impl Labelling {
    pub(super) fn new(
        labeller: Labeller,
        knowledge: Knowledge,
        catalogue: Arc<Catalogue>,
        homes: Vec<Home>,
        extra_homes: Vec<PathBuf>,
    ) -> Self {
        Self {
            labeller,
            knowledge,
            catalogue,
            homes,
            extra_homes,
            table: Table::default(),
            replaced_names: HashSet::new(),
            said: ScanCounts::default(),
        }
    }

    /// Labels what is there now, and takes away labels that are not needed any more.
    pub(super) fn scan(&mut self, public: &mut Public) -> ScanCounts {
        let homes = homes(Path::new("/"), &self.extra_homes);
        if homes != self.homes {
            let places = Arc::new(Places::new(&self.catalogue, homes.clone()));
            self.knowledge.set_places(places);
            self.homes = homes;
        }
        let places = self.knowledge.places();
        let mut counts = ScanCounts::default();
        let found = match places.scan(Path::new("/"), &ScanLimits::default()) {
            Ok(found) => found,
            Err(error) => {
                tracing::error!(%error, "the places of credentials could not be looked through; only what is labelled already is watched");
                return ScanCounts {
                    not_labelled: 1,
                    ..counts
                };
            }
        };
        let root = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let Ok(root) = rustix::fs::open("/", root, Mode::empty()) else {
            tracing::error!(
                "the root directory could not be opened; only what is labelled already is watched"
            );
            return ScanCounts {
                not_labelled: 1,
                ..counts
            };
        };
        self.table.begin();
        // Directories first: a file that appears between is then known by its name.
        for directory in &found.directories {
            match self.label_directory(&root, directory) {
                Done::Yes => counts.directories += 1,
                Done::Gone => {}
                Done::No => counts.not_labelled += 1,
            }
        }
        for file in &found.files {
            match self.label_file(&root, file, public) {
                Done::Yes => counts.files += 1,
                Done::Gone => {}
                Done::No => counts.not_labelled += 1,
            }
        }
        for dropped in self.table.end(Root::Host) {
            self.drop_label(dropped);
        }
        self.forget_names();
        self.knowledge.labels().bury();
        let hit = found.limits_hit;
        counts.left_out =
            hit.names + hit.depth + hit.found + hit.served_elsewhere + hit.unreadable + hit.foreign_links;
        self.say(counts);
        counts
    }

    /// Takes another catalogue: labels anew all that it names, each label in the place of the one before, and only then takes away what it does
    /// not name any more. Nothing that both name is unwatched in between.
    pub(super) fn replace_catalogue(&mut self, catalogue: Arc<Catalogue>, public: &mut Public) -> ScanCounts {
        self.catalogue = catalogue;
        let places = Arc::new(Places::new(&self.catalogue, self.homes.clone()));
        self.knowledge.set_places(Arc::clone(&places));
        self.table.new_policy();
        let counts = self.scan(public);
        let kept = self.knowledge.labels();
        let is_named = |labelled: &Labelled| match kept.meaning(labelled.id) {
            Some(Meaning::Credential { entry, path }) => places.names(entry.id(), path),
            Some(Meaning::Directory { .. }) | None => false,
        };
        let dropped = self.table.drop_gone(|labelled| !is_named(labelled));
        drop(kept);
        for dropped in dropped {
            self.drop_label(dropped);
        }
        counts
    }

    /// Says what cannot be watched once, and again only when it changes.
    fn say(&mut self, counts: ScanCounts) {
        if counts.not_labelled > 0 && counts.not_labelled != self.said.not_labelled {
            tracing::error!(
                count = counts.not_labelled,
                "credentials could not be labelled and are not watched: a table is full or the hook does not answer"
            );
        }
        if counts.left_out > 0 && counts.left_out != self.said.left_out {
            tracing::warn!(
                count = counts.left_out,
                "places were left out of the search for credentials: too many names, too deep, served by another host, or links to what belongs to another"
            );
        }
        self.said = counts;
    }

    fn label_directory(&mut self, root: &OwnedFd, found: &LabelledDirectory) -> Done {
        if self.table.is_labelled(Root::Host, &found.path, found.seen) {
            return Done::Yes;
        }
        let held = match Held::at(root, &found.path) {
            Ok(held) if held.seen() == found.seen => held,
            _ => return Done::Gone,
        };
        let Some(id) = self.knowledge.labels().hold(Meaning::Directory {
            path: found.path.clone(),
        }) else {
            return Done::No;
        };
        let flags = if found.has_patterns {
            DIRECTORY_HAS_PATTERNS
        } else {
            0
        };
        let label = Purpose::Directory(Label { id, flags });
        let object = match self.labeller.ask(label, || held.open_directory()) {
            Ok((Ok(_), Some(object))) => object,
            asked => {
                self.knowledge.labels().release(id);
                return if matches!(asked, Ok((Err(_), _))) {
                    Done::Gone
                } else {
                    Done::No
                };
            }
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
        self.keep(&found.path, labelled);
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

    fn label_file(&mut self, root: &OwnedFd, found: &Candidate, public: &mut Public) -> Done {
        if self.table.is_labelled(Root::Host, &found.path, found.seen) {
            return Done::Yes;
        }
        let held = match Held::at(root, &found.path) {
            Ok(held) if held.seen() == found.seen => held,
            _ => return Done::Gone,
        };
        let Some(id) = self.knowledge.labels().hold(Meaning::Credential {
            entry: Arc::clone(&found.entry),
            path: found.path.clone(),
        }) else {
            return Done::No;
        };
        let label = Purpose::Object(Label { id, flags: 0 });
        match self.labeller.ask(label, || held.open_file()) {
            Ok((Ok(file), Some(object))) => {
                // Read now, so that it can still be named when it is gone right after its use.
                public.of_file(object, found.entry.kind(), &found.path, file);
                let labelled = Labelled {
                    seen: found.seen,
                    object,
                    id,
                    names: None,
                };
                self.keep(&found.path, labelled);
                Done::Yes
            }
            asked => {
                self.knowledge.labels().release(id);
                if matches!(asked, Ok((Err(_), _))) {
                    Done::Gone
                } else {
                    Done::No
                }
            }
        }
    }

    fn keep(&mut self, path: &Path, labelled: Labelled) {
        if let Some(replaced) = self.table.insert(Root::Host, path.to_owned(), labelled) {
            let names = replaced.names.iter().flatten();
            self.replaced_names.extend(names.map(|(name_hash, _)| NameKey {
                directory: replaced.object,
                name_hash: *name_hash,
            }));
            self.drop_label(Dropped {
                labelled: replaced,
                is_last: false,
            });
        }
    }

    /// Names of directories that were labelled anew, and that no path watches any more.
    fn forget_names(&mut self) {
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
    fn drop_label(&mut self, dropped: Dropped) {
        let Dropped { labelled, is_last } = dropped;
        let mut removed: Result<(), LabelError> = Ok(());
        if is_last {
            removed = if labelled.names.is_some() {
                self.labeller.forget_directory(labelled.object)
            } else {
                self.labeller.forget_object(labelled.object)
            };
        }
        for (name_hash, id) in labelled.names.into_iter().flatten() {
            if is_last {
                let directory = labelled.object;
                let forgotten = self.labeller.forget_name(NameKey { directory, name_hash });
                removed = removed.and(forgotten);
            }
            self.knowledge.labels().release(id);
        }
        self.knowledge.labels().release(labelled.id);
        if let Err(error) = removed {
            tracing::warn!(%error, "a label that is no longer needed stays");
        }
    }
}
