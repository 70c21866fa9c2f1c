//! Copies of credentials: a file whose content proves it one is labelled as what it is a copy of, wherever it lies.
//!
//! At most [`COPIES_MAX`] are labelled at once, of which the files of one owner have a share; more are counted as not labelled. A copy that has left its path keeps its label for as long as others
//! that have do.

use std::{
    os::fd::{AsFd as _, OwnedFd},
    path::{Path, PathBuf},
    sync::Arc,
};

use claviger_proto::catalogue::{Catalogue, Entry};
use claviger_sensor_common::{Label, ObjectKey};
use rustix::fs::{Mode, OFlags, major, minor};

use super::{Done, Labelling};
use crate::{
    agent::{
        copies::{Reach, Suspect},
        labelled::{Labelled, Root},
        labels::Meaning,
        messages::ScanCounts,
        publicly::{Opened, Public},
        remembered::device_of,
        shares::may_take,
    },
    credential::{Held, Seen, mounts_of},
    kernel::{Purpose, hold_by_number},
};

/// Copies that are there and labelled.
pub(in crate::agent) const COPIES_MAX: u32 = 4_096;

/// Mounts of a file's file system by which it is looked for; one is enough, where it is a directory.
const MOUNTS_MAX: usize = 4;

/// What a look at a file told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::agent) enum Looked {
    /// It is a copy, and labelled, or could not be.
    Copy(ScanCounts),
    /// It is known by other means: nothing more is to be found out.
    Known,
    /// It is none, as it is now.
    No,
}

/// A file of this number on the file system that is mounted there.
fn by_number(mount: &Path, object: ObjectKey) -> Option<Held> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let mount = rustix::fs::open(mount, flags, Mode::empty()).ok()?;
    Held::of(hold_by_number(mount.as_fd(), object).ok()?).ok()
}

/// Where the file system of an object is mounted, as many as are tried.
fn mounts_of_object(object: ObjectKey) -> Vec<PathBuf> {
    mounts_of(device_of(object))
        .into_iter()
        .take(MOUNTS_MAX)
        .collect()
}

/// Whether a file is this object by what stat(2) says. Where that has another device than the superblock (btrfs, overlayfs), this does not tell.
fn is_surely(seen: Seen, object: ObjectKey) -> bool {
    (major(seen.device), minor(seen.device)) == device_of(object) && seen.inode == object.inode
}

impl Labelling {
    /// Looks whether a file is a copy of a credential, and labels it. It is opened only where its size speaks for that.
    pub(in crate::agent) fn look_at(&mut self, suspect: &Suspect, public: &mut Public) -> Looked {
        let places = self.knowledge.places();
        let is_named = |path: &Path| places.match_path(path.as_os_str().as_encoded_bytes()).is_some();
        let is_elsewhere = match &suspect.at {
            Reach::Paths(paths) => !paths.iter().any(|(_, path)| is_named(path)),
            Reach::Held(..) | Reach::Number(_) => true,
        };
        if self.table.is_known(suspect.object) || !is_elsewhere {
            return Looked::Known;
        }
        let mut called = Path::new("");
        match &suspect.at {
            Reach::Paths(paths) => {
                for (seen_from, path) in paths {
                    called = path;
                    let Some(root) = seen_from.hold() else { continue };
                    let at = path.clone();
                    let held = self.hands.run(path, move |_| Held::at(root, &at).ok());
                    if let Ok(Some(held)) = held
                        && let Some(looked) = self.look_into(suspect, held, path, public)
                    {
                        return looked;
                    }
                }
            }
            Reach::Held(held, path) => {
                let held = Arc::clone(held);
                let held = self.hands.run(path, move |_| held.anew().ok());
                if let Ok(Some(held)) = held
                    && let Some(looked) = self.look_into(suspect, held, path, public)
                {
                    return looked;
                }
                called = path;
            }
            Reach::Number(path) => called = path,
        }
        // It was renamed since, or nobody has it open any more, or what was held is another.
        for mount in mounts_of_object(suspect.object) {
            let (object, at) = (suspect.object, mount.clone());
            let held = self.hands.run(&mount, move |_| by_number(&at, object));
            if let Ok(Some(held)) = held
                && let Some(looked) = self.look_into(suspect, held, called, public)
            {
                return looked;
            }
        }
        Looked::No
    }

    /// Looks whether what is held is a copy; nothing where it is, or may be, another file than the suspect.
    fn look_into(
        &mut self,
        suspect: &Suspect,
        held: Held,
        path: &Path,
        public: &mut Public,
    ) -> Option<Looked> {
        if !public.may_be_copy(held.size_bytes()) {
            // Whatever else leads to it leads to the same size.
            return is_surely(held.seen(), suspect.object).then_some(Looked::No);
        }
        let held = Arc::new(held);
        let theirs = Arc::clone(&held);
        let asked = self
            .hands
            .ask(&mut self.labeller, Purpose::Identify, path, move || {
                theirs.open_file()
            });
        let file = match asked {
            Ok((Ok(file), Some(object))) if object == suspect.object => file,
            _ => return None,
        };
        let original = public.original_of(&mut self.hands, path, file);
        // As the catalogue has it that holds now.
        let entry = original.and_then(|original| {
            let entries = self.catalogue.entries();
            entries.iter().find(|entry| entry.id() == original.id()).cloned()
        });
        Some(match entry {
            Some(entry) => {
                let done = self.label_copy(suspect, &held, path, &entry, public);
                self.count_copy(&done)
            }
            None => Looked::No,
        })
    }

    /// Whether one more copy can be labelled. Who owns it is whoever made it: nobody can make files of others.
    pub(super) fn has_room_for_copy(&self, copy: Seen) -> bool {
        let copies = self.table.below(Root::Copies);
        let theirs = copies.iter().filter(|(_, seen)| seen.owner == copy.owner);
        let count = |of: usize| u32::try_from(of).unwrap_or(u32::MAX);
        may_take(
            count(theirs.count()),
            COPIES_MAX.saturating_sub(count(copies.len())),
        )
    }

    fn label_copy(
        &mut self,
        suspect: &Suspect,
        held: &Arc<Held>,
        path: &Path,
        entry: &Arc<Entry>,
        public: &mut Public,
    ) -> Done {
        if !self.has_room_for_copy(held.seen()) {
            return Done::No;
        }
        let Some(id) = self.knowledge.labels().hold(Meaning::Credential {
            entry: Arc::clone(entry),
            path: path.to_owned(),
        }) else {
            return Done::No;
        };
        let label = Purpose::Object(Label { id, flags: 0 });
        let theirs = Arc::clone(held);
        let open = move || Opened::of(&theirs);
        match self.hands.ask(&mut self.labeller, label, path, open) {
            Ok((Ok(file), Some(object))) if object == suspect.object => {
                self.memory.met(object, file.handle().cloned());
                self.memory.changed();
                public.of_file((&mut self.hands, path), object, entry, path, file);
                self.copies.insert(id);
                let labelled = Labelled {
                    seen: held.seen(),
                    object,
                    id,
                    names: None,
                };
                self.keep(Root::Copies, path, labelled);
                tracing::info!(
                    entry = entry.id(),
                    "a copy of a credential is watched as the credential"
                );
                Done::Yes
            }
            asked => self.undo(id, &asked, false),
        }
    }

    fn count_copy(&mut self, done: &Done) -> Looked {
        let counts = self.counts.entry(Root::Copies).or_default();
        match done {
            Done::Yes => counts.files += 1,
            Done::No => counts.not_labelled += 1,
            Done::Gone | Done::Hangs => {}
        }
        Looked::Copy(self.total())
    }

    /// Looks which copies are there still.
    pub(super) fn look_after_copies(&mut self, root: &Arc<OwnedFd>) {
        let copies = self.table.below(Root::Copies);
        if copies.is_empty() {
            return;
        }
        self.table.begin();
        let mut files = 0;
        for (path, seen) in copies {
            let (root, at) = (Arc::clone(root), path.clone());
            let is_there = self.hands.run(&path, move |_| {
                Held::at(&*root, &at).is_ok_and(|held| held.seen() == seen)
            });
            // One that cannot be looked at is taken to be there still.
            if is_there.unwrap_or(true) {
                self.table.stays(Root::Copies, &path);
                files += 1;
            }
        }
        for dropped in self.table.end(Root::Copies) {
            self.drop_label(dropped);
        }
        self.counts.entry(Root::Copies).or_default().files = files;
    }

    /// Another catalogue holds: a copy is of the entry that has the id of the one before. Of one that is gone, it is let go with it.
    pub(super) fn renew_copies(&mut self, catalogue: &Catalogue) {
        let mut labels = self.knowledge.labels();
        let find = |id: &str| catalogue.entries().iter().find(|entry| entry.id() == id).cloned();
        let renewed: Vec<(u32, Option<Arc<Entry>>, PathBuf)> = self
            .copies
            .iter()
            .filter_map(|&id| match labels.meaning(id) {
                Some(Meaning::Credential { entry, path }) => Some((id, find(entry.id()), path.clone())),
                _ => None,
            })
            .collect();
        self.copies.clear();
        for (id, entry, path) in renewed {
            // Held once more and let go once, it has another meaning and as many holders.
            if let Some(entry) = entry
                && labels.hold(Meaning::Credential { entry, path }) == Some(id)
            {
                labels.release(id);
                self.copies.insert(id);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_surely_an_object_only_where_all_of_its_numbers_say_so() {
        let seen = Seen {
            device: rustix::fs::makedev(259, 70_000),
            inode: 5,
            ..Seen::default()
        };
        let object = ObjectKey {
            device: 259 << 20 | 70_000,
            inode: 5,
            generation: 9,
        };
        assert!(is_surely(seen, object));
        assert!(!is_surely(Seen { inode: 6, ..seen }, object));
        assert!(!is_surely(Seen { device: 1, ..seen }, object));
    }
}
