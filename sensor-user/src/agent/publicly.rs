//! What the public part of a credential says, read at most once for each version of the file.

use std::{
    fs::{File, Metadata},
    os::fd::{AsFd as _, OwnedFd},
    path::{Path, PathBuf},
    sync::Arc,
};

use claviger_proto::catalogue::Entry;
use claviger_sensor_common::{FileVersion, ObjectKey};
use rustix::fs::{Mode, OFlags, ResolveFlags};

use super::{
    hands::Hands,
    knowledge::Knowledge,
    known::{Place, version},
    originals::Originals,
    seen_from::SeenFrom,
};
use crate::{
    credential::{Fingerprints, Held, OpenError, Parsed, identities, read_public},
    kernel::{FileHandle, Labeller, Purpose},
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
    pub(super) fn original_of(&self, hands: &mut Hands, path: &Path, file: OwnedFd) -> Option<Arc<Entry>> {
        let content = hands.run(path, move |_| read_public(file)).ok()?.ok()?;
        let content = self.fingerprints.as_ref()?.of(&content)?;
        self.originals.entry_of(content).cloned()
    }

    /// Reads through an open descriptor of the object, which this process reaches `at` that path.
    pub(super) fn of_file(
        &mut self,
        (hands, at): (&mut Hands, &Path),
        object: ObjectKey,
        entry: &Arc<Entry>,
        path: &Path,
        opened: Opened,
    ) -> Parsed {
        let Opened { file, metadata, .. } = opened;
        let kind = entry.kind();
        let version = version(&metadata);
        if let Some(known) = self.knowledge.known().get(object, kind, version) {
            return known;
        }
        let read = hands.run(at, move |_| read_public(file));
        let (parsed, content) = match read {
            Ok(Ok(content)) => {
                let fingerprint = self.fingerprints.as_ref().and_then(|make| make.of(&content));
                (identities(kind, path, &content), fingerprint)
            }
            Ok(Err(error)) => (Parsed::unknown(error.reason()), None),
            Err(_) => return Parsed::unknown(OpenError::Hangs.reason()),
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
        hands: &mut Hands,
        labeller: &mut Labeller,
        object: ObjectKey,
        entry: &Arc<Entry>,
        paths: &[(SeenFrom, PathBuf)],
    ) -> Parsed {
        let mut reason = "no path leads to it";
        for (seen_from, path) in paths {
            let Some((root, version)) = look(hands, *seen_from, path) else {
                continue;
            };
            if let Some((known, parsed)) = self.known_at(version, entry)
                && known == object
            {
                return parsed;
            }
            let at = seen_from.reach(path);
            match hands.ask(labeller, Purpose::Identify, &at, Opened::at(&root, path)) {
                Ok((Ok(opened), Some(found))) if found == object => {
                    return self.of_file((hands, &at), object, entry, path, opened);
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

    /// What is known of the version that lies at a path.
    fn known_at(&self, version: AtPath, entry: &Entry) -> Option<(ObjectKey, Parsed)> {
        let (place, version) = version?;
        self.knowledge.known().at(place, entry.kind(), version)
    }
}

/// Which version of a file lies at a path, if one does.
type AtPath = Option<(Place, FileVersion)>;

/// A root, and which version of a file lies at a path below it, without opening that for reading. Nothing where there is no such root.
fn look(hands: &mut Hands, seen_from: SeenFrom, path: &Path) -> Option<(Arc<OwnedFd>, AtPath)> {
    let root = Arc::new(seen_from.hold()?);
    let (below, at) = (Arc::clone(&root), path.to_owned());
    let version = hands.run(&seen_from.reach(path), move |_| {
        let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
        let flags = OFlags::PATH | OFlags::CLOEXEC;
        let held = rustix::fs::openat2(&below, &at, flags, Mode::empty(), resolve).ok()?;
        let metadata = File::from(held).metadata().ok()?;
        Some((Place::of(&metadata), version(&metadata)))
    });
    Some((root, version.ok().flatten()))
}

/// A file that was opened, and which version of it.
pub(super) struct Opened {
    file: OwnedFd,
    metadata: Metadata,
    handle: Option<FileHandle>,
}

impl Opened {
    /// Opens what lies at a path below a root.
    fn at(root: &Arc<OwnedFd>, path: &Path) -> impl FnOnce() -> Result<Self, OpenError> + Send + use<> {
        let (root, path) = (Arc::clone(root), path.to_owned());
        move || Self::of(&Held::at(&*root, &path)?)
    }

    /// Opens what is held.
    pub(super) fn of(held: &Held) -> Result<Self, OpenError> {
        let file = File::from(held.open_file()?);
        let metadata = file.metadata().map_err(|_| OpenError::Gone)?;
        let file = OwnedFd::from(file);
        let handle = FileHandle::of(file.as_fd()).ok();
        Ok(Self {
            file,
            metadata,
            handle,
        })
    }

    /// By what its file system finds it; nothing where it finds none so.
    pub(super) fn handle(&self) -> Option<&FileHandle> {
        self.handle.as_ref()
    }
}
