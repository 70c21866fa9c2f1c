//! What the public part of a credential says, read at most once for each version of the file.

use std::{
    fs::File,
    os::fd::{AsFd as _, OwnedFd},
    path::{Path, PathBuf},
    sync::Arc,
};

use claviger_proto::catalogue::Entry;
use claviger_sensor_common::ObjectKey;
use rustix::fs::{Mode, OFlags, ResolveFlags};

use super::{
    known::{Place, version},
    originals::Originals,
    seen_from::SeenFrom,
    worker::Knowledge,
};
use crate::{
    credential::{Fingerprints, Parsed, identities, open_candidate, read_public},
    kernel::{Labeller, Purpose},
};

/// Reads public parts.
pub(super) struct Public {
    fingerprints: Option<Fingerprints>,
    originals: Originals,
    knowledge: Knowledge,
}

impl Public {
    pub(super) fn new(knowledge: Knowledge) -> Self {
        let fingerprints = Fingerprints::new();
        if fingerprints.is_none() {
            tracing::error!("the system has no random numbers: copies of credentials are not recognised");
        }
        Self {
            fingerprints,
            originals: Originals::default(),
            knowledge,
        }
    }

    /// How many credentials are known by their content.
    pub(super) fn len(&self) -> usize {
        self.knowledge.known().len()
    }

    /// Whether a file of this size may hold the same as a credential.
    pub(super) fn may_be_copy(&self, bytes: u64) -> bool {
        self.originals.may_hold_one(bytes)
    }

    /// Of which entry of the catalogue the credential is that an open file holds.
    pub(super) fn original_of(&self, file: &OwnedFd) -> Option<Arc<Entry>> {
        let content = read_public(file).ok()?;
        let content = self.fingerprints.as_ref()?.of(&content)?;
        self.originals.entry_of(content).cloned()
    }

    /// Reads through an open descriptor of the object.
    pub(super) fn of_file(
        &mut self,
        object: ObjectKey,
        entry: &Arc<Entry>,
        path: &Path,
        file: OwnedFd,
    ) -> Parsed {
        let file = File::from(file);
        let Ok(metadata) = file.metadata() else {
            return Parsed::unknown("it could not be looked at");
        };
        let kind = entry.kind();
        let version = version(&metadata);
        if let Some(known) = self.knowledge.known().get(object, kind, version) {
            return known;
        }
        let (parsed, content) = match read_public(file.as_fd()) {
            Ok(content) => {
                let fingerprint = self.fingerprints.as_ref().and_then(|make| make.of(&content));
                (identities(kind, path, &content), fingerprint)
            }
            Err(error) => (Parsed::unknown(error.reason()), None),
        };
        self.originals.set(object, content, entry);
        let place = Place::of(&metadata);
        self.knowledge
            .known()
            .set(object, (place, version), entry, &parsed);
        parsed
    }

    /// Finds the object again by the paths that may lead to it, and reads it. What lies there now counts only if the kernel says that it
    /// is the same object; so nobody can make the agent read something else in its place.
    ///
    /// A version that is known is not opened again. That is not only cheaper: two sensors on one host see each other's opens, and would
    /// answer each open of the other by one of their own for ever.
    pub(super) fn of_use(
        &mut self,
        labeller: &mut Labeller,
        object: ObjectKey,
        entry: &Arc<Entry>,
        paths: &[(SeenFrom, PathBuf)],
    ) -> Parsed {
        let mut reason = "no path leads to it";
        for (seen_from, path) in paths {
            let Some(root) = seen_from.hold() else {
                continue;
            };
            if let Some(known) = self.known(&root, path, object, entry) {
                return known;
            }
            match labeller.ask(Purpose::Identify, || open_candidate(&root, path)) {
                Ok((Ok(file), Some(found))) if found == object => {
                    return self.of_file(object, entry, path, file);
                }
                Ok((Ok(_), Some(_))) => reason = "another file lay at its path when it was looked at",
                Ok((Ok(_), None)) => reason = "the hook did not confirm which file it is",
                Ok((Err(error), _)) => reason = error.reason(),
                Err(error) => {
                    tracing::warn!(error = %error, "asking the kernel half failed");
                    reason = "the kernel half could not be asked";
                }
            }
        }
        self.knowledge
            .known()
            .newest(object)
            .unwrap_or_else(|| Parsed::unknown(reason))
    }

    /// The labelled file at a path as a process sees it, while that lives, and what it says. A file that is not labelled is not read.
    pub(super) fn at_path(
        &mut self,
        labeller: &mut Labeller,
        entry: &Arc<Entry>,
        paths: &[(SeenFrom, PathBuf)],
    ) -> (Parsed, Option<ObjectKey>) {
        let mut reason = "only the path was seen, and the process had ended before it was followed";
        for (seen_from, path) in paths {
            let Some(root) = seen_from.hold() else {
                continue;
            };
            if let Some((object, known)) = self.known_at(&root, path, entry) {
                return (known, Some(object));
            }
            reason = match labeller.ask(Purpose::Identify, || open_candidate(&root, path)) {
                Ok((Ok(file), Some(found))) if labeller.is_labelled(found) => {
                    return (self.of_file(found, entry, path, file), Some(found));
                }
                Ok((Ok(_), Some(_))) => "only the path was seen, and leads to no file that is known",
                Ok((Ok(_), None)) => "only the path was seen, and the hook did not confirm where it leads",
                Ok((Err(error), _)) => error.reason(),
                Err(error) => {
                    tracing::warn!(error = %error, "asking the kernel half failed");
                    "the kernel half could not be asked"
                }
            };
        }
        (Parsed::unknown(reason), None)
    }

    /// What is known of the version of an object that lies at a path.
    fn known(&self, root: &OwnedFd, path: &Path, object: ObjectKey, entry: &Entry) -> Option<Parsed> {
        let (known, parsed) = self.known_at(root, path, entry)?;
        (known == object).then_some(parsed)
    }

    /// What is known of the version that lies at a path, without opening it for reading.
    fn known_at(&self, root: &OwnedFd, path: &Path, entry: &Entry) -> Option<(ObjectKey, Parsed)> {
        let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
        let held =
            rustix::fs::openat2(root, path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty(), resolve).ok()?;
        let metadata = File::from(held).metadata().ok()?;
        self.knowledge
            .known()
            .at(Place::of(&metadata), entry.kind(), version(&metadata))
    }
}
