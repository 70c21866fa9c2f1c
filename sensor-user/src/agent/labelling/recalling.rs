//! Labelling anew, at the start, what is known by its history only, as it was written down before.
//!
//! Only the very file is believed: on the same file system, with the number, the generation and the time of birth that it had, as they are now told by the kernel half and
//! statx(2). It is looked for at the path where it lay last, and by its handle. A copy whose length or time of change is another than when it was watched last has to be
//! proven anew. What is not believed is said, and forgotten.

use std::{
    collections::HashSet,
    fs::File,
    os::fd::{AsFd as _, OwnedFd},
    path::{Path, PathBuf},
    sync::Arc,
};

use claviger_proto::catalogue::Entry;
use claviger_sensor_common::{Label, ObjectKey};

use super::{
    Labelling,
    whereabouts::{hold, path_of},
};
use crate::{
    agent::{
        hands::Progress,
        labelled::{Labelled, Root},
        labels::Meaning,
        messages::ScanCounts,
        publicly::{Opened, Public},
        remembered::{FileSystems, History, RememberedFile, RememberedOne},
    },
    credential::{Held, Seen},
    kernel::Purpose,
};

/// Files of which is said that they are forgotten, each by its path; of more only how many.
const SAID_MAX: usize = 32;

/// Why one is not believed.
type Forgotten = &'static str;

const NO_ENTRY: Forgotten = "the catalogue has no such entry any more";
const NOT_MOUNTED: Forgotten = "its file system is not mounted";
const NOWHERE: Forgotten = "it is not found any more, neither at its path nor by its handle";
const ANOTHER: Forgotten = "another file has its number";
const NOT_ANSWERED: Forgotten = "it could not be looked at";
const CHANGED: Forgotten = "its content has changed, and is that of no credential that is known";
const NO_ROOM: Forgotten = "a table is full";

/// One that was found, and where it lies if that is known.
struct There {
    held: Held,
    at: Option<PathBuf>,
}

impl Labelling {
    /// Labels what was remembered. To be called once, when the host's places were looked through.
    pub(in crate::agent) fn recall(&mut self, public: &mut Public) -> ScanCounts {
        self.recall_all(public);
        self.total()
    }

    fn recall_all(&mut self, public: &mut Public) {
        let file = self.memory.file.as_ref();
        let Some(remembered) = file.and_then(RememberedFile::read) else {
            return;
        };
        self.memory.was_read();
        let kinds: HashSet<Vec<u8>> = remembered
            .files
            .iter()
            .map(|one| one.file_system.kind.clone())
            .collect();
        let systems = self.hands.run(Path::new("/"), move |progress| {
            FileSystems::look(
                |mounted| kinds.contains(&mounted.kind),
                |path| progress.step(path),
            )
        });
        let systems = Arc::new(systems.unwrap_or_default());
        let Ok(root) = File::open("/").map(|root| Arc::new(OwnedFd::from(root))) else {
            return;
        };
        let (mut recalled, mut forgotten) = (0_u64, 0_usize);
        for one in remembered.files {
            match self.recall_one(&one, &systems, &root, public) {
                Ok(()) => recalled += 1,
                Err(reason) => {
                    forgotten += 1;
                    if forgotten <= SAID_MAX {
                        tracing::info!(
                            path = %one.at.display(),
                            entry = one.entry,
                            reason,
                            "{} is forgotten",
                            one.history.word()
                        );
                    }
                }
            }
        }
        if recalled > 0 || forgotten > 0 {
            tracing::info!(
                recalled,
                forgotten,
                "what was known by its history only when the sensor ended was looked for"
            );
        }
    }

    fn recall_one(
        &mut self,
        one: &RememberedOne,
        systems: &Arc<FileSystems>,
        root: &Arc<OwnedFd>,
        public: &mut Public,
    ) -> Result<(), Forgotten> {
        let entries = self.catalogue.entries();
        let entry = entries.iter().find(|entry| entry.id() == one.entry).cloned();
        let entry = entry.ok_or(NO_ENTRY)?;
        let There { held, at } = {
            let (one, systems, root) = (one.clone(), Arc::clone(systems), Arc::clone(root));
            let found = self.hands.run(&one.at.clone(), move |progress| {
                find(&one, &systems, &root, progress)
            });
            found.unwrap_or(Err(NOT_ANSWERED))?
        };
        let held = Arc::new(held);
        let path = at.as_deref().unwrap_or(&one.at);
        let theirs = Arc::clone(&held);
        let asked = self
            .hands
            .ask(&mut self.labeller, Purpose::Identify, path, move || {
                theirs.open_file()
            });
        let Ok((Ok(file), Some(object))) = asked else {
            return Err(NOT_ANSWERED);
        };
        let is_it = object.inode == one.inode
            && object.generation == one.generation
            && systems
                .of(object)
                .is_some_and(|system| system.is(&one.file_system));
        if !is_it {
            return Err(ANOTHER);
        }
        if self.table.is_known(object) {
            // Found where a credential lies.
            return Ok(());
        }
        let is_same = is_unchanged(one, &held);
        let proven = match (one.history, is_same) {
            (History::Left, _) | (History::Copy, true) => entry,
            (History::Copy, false) => {
                let original = public.original_of(&mut self.hands, path, file);
                original.ok_or(CHANGED)?
            }
        };
        self.label_recalled(one, (object, &held, at.as_deref()), proven, public)
    }

    fn label_recalled(
        &mut self,
        one: &RememberedOne,
        (object, held, at): (ObjectKey, &Arc<Held>, Option<&Path>),
        entry: Arc<Entry>,
        public: &mut Public,
    ) -> Result<(), Forgotten> {
        let id = {
            let mut labels = self.knowledge.labels();
            // What lies at that path now decides what the path stands for.
            let entry = labels.credential_at(&one.path).map_or(entry, |(entry, _)| entry);
            let path = one.path.clone();
            labels.hold(Meaning::Credential { entry, path }).ok_or(NO_ROOM)?
        };
        let label = Purpose::Object(Label { id, flags: 0 });
        let path = at.unwrap_or(&one.at);
        let theirs = Arc::clone(held);
        let asked = self
            .hands
            .ask(&mut self.labeller, label, path, move || Opened::of(&theirs));
        let opened = match asked {
            Ok((Ok(opened), Some(labelled))) if labelled == object => opened,
            asked => {
                self.undo(id, &asked, false);
                return Err(NO_ROOM);
            }
        };
        self.memory.met(object, opened.handle().cloned());
        let meant = match self.knowledge.labels().meaning(id) {
            Some(Meaning::Credential { entry, .. }) => Some(Arc::clone(entry)),
            _ => None,
        };
        if let Some(entry) = meant {
            public.of_file((&mut self.hands, path), object, &entry, &one.path, opened);
        }
        let labelled = Labelled {
            seen: held.seen(),
            object,
            id,
            names: None,
        };
        let has_room = self.has_room_for_copy(held.seen());
        if one.history == History::Copy {
            self.copies.insert(id);
        }
        match at {
            Some(at) if one.history == History::Copy && has_room => {
                self.keep(Root::Copies, at, labelled);
                self.counts.entry(Root::Copies).or_default().files += 1;
            }
            _ => self.table.adopt(labelled),
        }
        Ok(())
    }
}

/// Finds the very file, or says why it is not there.
fn find(
    one: &RememberedOne,
    systems: &FileSystems,
    root: &Arc<OwnedFd>,
    progress: &Progress,
) -> Result<There, Forgotten> {
    let is_it = |seen: Seen| seen.inode == one.inode && seen.born == one.born;
    let mut mounts = systems.mounts_of(&one.file_system).peekable();
    mounts.peek().ok_or(NOT_MOUNTED)?;
    if !progress.step(&one.at) {
        return Err(NOT_ANSWERED);
    }
    let mut why = NOWHERE;
    match Held::at(&**root, &one.at) {
        Ok(held) if is_it(held.seen()) => {
            let at = Some(one.at.clone());
            return Ok(There { held, at });
        }
        Ok(held) if held.seen().inode == one.inode => why = ANOTHER,
        _ => {}
    }
    let Some(handle) = &one.handle else {
        return Err(why);
    };
    for mount in mounts {
        if !progress.step(mount) {
            return Err(NOT_ANSWERED);
        }
        match hold(handle, mount) {
            Ok(held) if is_it(held.seen()) => {
                let at = path_of(&held, root.as_fd());
                return Ok(There { held, at });
            }
            Ok(_) => why = ANOTHER,
            Err(_) => {}
        }
    }
    Err(why)
}

/// Whether nobody has written to it since, as far as it tells.
fn is_unchanged(one: &RememberedOne, held: &Held) -> bool {
    held.size_bytes() == one.size && held.modified() == one.modified
}
