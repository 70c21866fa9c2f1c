//! What the public part of a credential says, read at most once for each version of the file.

use std::{
    collections::HashMap,
    fs::File,
    io,
    os::{
        fd::{AsFd as _, OwnedFd},
        unix::fs::MetadataExt as _,
    },
    path::{Path, PathBuf},
};

use claviger_sensor_common::ObjectKey;
use rustix::fs::{Mode, OFlags, ResolveFlags};

use crate::{
    attribute::start_ticks_of,
    credential::{Fingerprint, Fingerprints, Parsed, identities, open_candidate, read_public},
    decode::ProcessKey,
    kernel::{Labeller, Purpose},
};

/// Versions remembered. At the bound all are forgotten and read anew when they are used.
pub(super) const CACHE_MAX: usize = 4_096;

/// One version of one file, as stat(2) tells it apart.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Version {
    kind: String,
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Version {
    fn of(file: &File, kind: &str) -> io::Result<Self> {
        let metadata = file.metadata()?;
        Ok(Self {
            kind: kind.to_owned(),
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        })
    }
}

/// Reads public parts.
pub(super) struct Public {
    fingerprints: Option<Fingerprints>,
    /// Of the newest version known of an object.
    contents: HashMap<ObjectKey, Fingerprint>,
    by_version: HashMap<Version, (ObjectKey, Parsed)>,
    /// The newest version known of an object, for a file that is gone when it is asked for.
    newest: HashMap<ObjectKey, Parsed>,
}

impl Default for Public {
    fn default() -> Self {
        let fingerprints = Fingerprints::new();
        if fingerprints.is_none() {
            tracing::error!("the system has no random numbers: copies of credentials are not recognised");
        }
        Self {
            fingerprints,
            contents: HashMap::new(),
            by_version: HashMap::new(),
            newest: HashMap::new(),
        }
    }
}

impl Public {
    /// How many versions of files are remembered.
    pub(super) fn len(&self) -> usize {
        self.by_version.len()
    }

    /// What stands for the content of an object, as it was read last.
    pub(super) fn fingerprint(&self, object: ObjectKey) -> Option<Fingerprint> {
        self.contents.get(&object).copied()
    }

    /// Whether an open file holds the same as one of these.
    pub(super) fn is_one_of(&self, file: &OwnedFd, known: &[Fingerprint]) -> bool {
        let Ok(content) = read_public(file) else {
            return false;
        };
        let fingerprint = self.fingerprints.as_ref().and_then(|make| make.of(&content));
        fingerprint.is_some_and(|found| known.contains(&found))
    }

    /// Reads through an open descriptor of the object.
    pub(super) fn of_file(&mut self, object: ObjectKey, kind: &str, path: &Path, file: OwnedFd) -> Parsed {
        let file = File::from(file);
        let Ok(version) = Version::of(&file, kind) else {
            return Parsed::unknown("it could not be looked at");
        };
        if let Some((_, known)) = self.by_version.get(&version) {
            return known.clone();
        }
        if self.by_version.len() >= CACHE_MAX {
            self.by_version.clear();
            self.newest.clear();
            self.contents.clear();
        }
        self.contents.remove(&object);
        let parsed = match read_public(file.as_fd()) {
            Ok(content) => {
                let fingerprint = self.fingerprints.as_ref().and_then(|make| make.of(&content));
                self.contents.extend(fingerprint.map(|found| (object, found)));
                identities(kind, path, &content)
            }
            Err(error) => Parsed::unknown(error.reason()),
        };
        self.newest.insert(object, parsed.clone());
        self.by_version.insert(version, (object, parsed.clone()));
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
        kind: &str,
        paths: &[(PathBuf, PathBuf)],
    ) -> Parsed {
        let mut reason = "no path leads to it";
        for (root, path) in paths {
            let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
            let Ok(root) = rustix::fs::open(root, flags, Mode::empty()) else {
                continue;
            };
            if let Some(known) = self.known(&root, path, object, kind) {
                return known;
            }
            match labeller.ask(Purpose::Identify, || open_candidate(&root, path)) {
                Ok((Ok(file), Some(found))) if found == object => {
                    return self.of_file(object, kind, path, file);
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
        self.newest
            .get(&object)
            .cloned()
            .unwrap_or_else(|| Parsed::unknown(reason))
    }

    /// The labelled file at a path as a process sees it, while that lives, and what it says. A file that is not labelled is not read.
    pub(super) fn at_path(
        &mut self,
        labeller: &mut Labeller,
        process: ProcessKey,
        kind: &str,
        paths: &[(PathBuf, PathBuf)],
    ) -> (Parsed, Option<ObjectKey>) {
        let mut reason = "only the path was seen, and the process had ended before it was followed";
        for (root, path) in paths {
            let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
            let Ok(root) = rustix::fs::open(root, flags, Mode::empty()) else {
                continue;
            };
            // Opened before: another process of the same number would not be told from it after.
            if start_ticks_of(process.pid) != Some(process.start_ticks) {
                continue;
            }
            if let Some((object, known)) = self.known_at(&root, path, kind) {
                return (known, Some(object));
            }
            reason = match labeller.ask(Purpose::Identify, || open_candidate(&root, path)) {
                Ok((Ok(file), Some(found))) if labeller.is_labelled(found) => {
                    return (self.of_file(found, kind, path, file), Some(found));
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
    fn known(&self, root: &OwnedFd, path: &Path, object: ObjectKey, kind: &str) -> Option<Parsed> {
        let (known, parsed) = self.known_at(root, path, kind)?;
        (known == object).then_some(parsed)
    }

    /// What is known of the version that lies at a path, without opening it for reading.
    fn known_at(&self, root: &OwnedFd, path: &Path, kind: &str) -> Option<(ObjectKey, Parsed)> {
        let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
        let held =
            rustix::fs::openat2(root, path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty(), resolve).ok()?;
        let version = Version::of(&File::from(held), kind).ok()?;
        self.by_version.get(&version).cloned()
    }
}
