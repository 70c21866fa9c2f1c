//! The data directory: what lies where, and how files come to be in it.
//!
//! ```text
//! detector.db            SQLite (WAL): sensors, tokens, index, findings
//! evidence/N.log         the evidence log
//! ca.pem ca.key          the detector's own certificate authority
//! server.pem server.key  what sensors see
//! operator.pem .key      what `watch` shows
//! listening              address of the running `serve`; not there while none runs
//! lock, authority.lock   empty, locked by whoever serves or makes keys
//! ```

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};

use super::{StoreError, exposed};
use crate::regular;

/// The most bytes that a file of keys or certificates may have.
const MAX_FILE_BYTES: u64 = 1 << 20;

/// A detector's data directory.
#[derive(Clone, Debug)]
pub struct DataDir {
    root: PathBuf,
}

/// Held for as long as the directory, or its authority, is somebody's alone.
#[derive(Debug)]
pub struct DirectoryLock(#[expect(dead_code, reason = "the lock ends when the file is closed")] File);

impl DataDir {
    /// Makes the directory where it is not there yet, its parents too. Refuses one that others can change or whose keys they can have.
    pub fn create(root: &Path) -> Result<Self, StoreError> {
        let mut builder = DirBuilder::new();
        builder.recursive(true).mode(0o700);
        builder
            .create(root)
            .map_err(StoreError::io("create the directory", root))?;
        let evidence = root.join("evidence");
        builder
            .create(&evidence)
            .map_err(StoreError::io("create the directory", &evidence))?;
        let directory = Self {
            root: root.to_owned(),
        };
        exposed::check(&directory, None)?;
        Ok(directory)
    }

    /// Refuses a directory that belongs, itself or its keys, to neither root nor this process's user. Only for whoever serves: root
    /// may make tokens for a detector that runs as another user.
    pub fn check_owner(&self) -> Result<(), StoreError> {
        exposed::check(self, Some(rustix::process::geteuid().as_raw()))
    }

    /// Opens a directory that a detector has used before; creates nothing.
    pub fn open(root: &Path) -> Result<Self, StoreError> {
        let directory = Self {
            root: root.to_owned(),
        };
        let database = directory.database();
        match fs::metadata(&database) {
            Ok(_) => Ok(directory),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(StoreError::Missing {
                path: root.to_owned(),
            }),
            Err(error) => Err(StoreError::io("look at", &database)(error)),
        }
    }

    /// The directory itself.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The database's file.
    #[must_use]
    pub fn database(&self) -> PathBuf {
        self.root.join("detector.db")
    }

    /// The evidence log's folder.
    #[must_use]
    pub fn evidence(&self) -> PathBuf {
        self.root.join("evidence")
    }

    /// A file of the directory.
    #[must_use]
    pub fn file(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// The file that tells where the running `serve` listens.
    #[must_use]
    pub fn listening(&self) -> PathBuf {
        self.file("listening")
    }

    /// Takes the directory for one `serve`; refuses where another has it.
    pub fn lock(&self) -> Result<DirectoryLock, StoreError> {
        let path = self.file("lock");
        let file = open_lock(&path)?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(DirectoryLock(file)),
            Err(rustix::io::Errno::WOULDBLOCK) => Err(StoreError::Busy {
                path: self.root.clone(),
            }),
            Err(error) => Err(StoreError::io("lock", &path)(error.into())),
        }
    }

    /// Waits until nobody else makes keys here. Held for moments only.
    pub fn lock_authority(&self) -> Result<DirectoryLock, StoreError> {
        let path = self.file("authority.lock");
        let file = open_lock(&path)?;
        flock(&file, FlockOperation::LockExclusive)
            .map_err(|error| StoreError::io("lock", &path)(error.into()))?;
        Ok(DirectoryLock(file))
    }

    /// Writes a file of the directory so that it is there completely or not at all, durably, readable by the owner alone.
    pub fn write(&self, name: &str, contents: &[u8]) -> Result<(), StoreError> {
        let path = self.file(name);
        let temporary = self.file(&format!(".{name}.new"));
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true).mode(0o600);
        let mut file = regular::open(&temporary, &options).map_err(StoreError::io("create", &temporary))?;
        file.write_all(contents)
            .map_err(StoreError::io("write", &temporary))?;
        file.sync_all().map_err(StoreError::io("sync", &temporary))?;
        fs::rename(&temporary, &path).map_err(StoreError::io("rename to", &path))?;
        sync_directory(&self.root)
    }

    /// Reads a file of the directory; nothing where it is not there.
    pub fn read(&self, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let path = self.file(name);
        match regular::read(&path, MAX_FILE_BYTES) {
            Ok(contents) => Ok(Some(contents)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(StoreError::io("read", &path)(error)),
        }
    }
}

fn open_lock(path: &Path) -> Result<File, StoreError> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false).mode(0o600);
    regular::open(path, &options).map_err(StoreError::io("open", path))
}

/// Makes the names in a directory durable.
pub(super) fn sync_directory(path: &Path) -> Result<(), StoreError> {
    let directory = File::open(path).map_err(StoreError::io("open", path))?;
    directory.sync_all().map_err(StoreError::io("sync", path))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn files_are_the_owners_alone_and_replaced_whole() {
        let root = tempfile::tempdir().expect("a directory");
        let directory = DataDir::create(&root.path().join("a/b")).expect("creates");
        directory.write("x.key", b"one").expect("writes");
        directory.write("x.key", b"two").expect("writes");
        assert_eq!(directory.read("x.key").expect("reads"), Some(b"two".to_vec()));
        let mode = |path: &Path| fs::metadata(path).expect("is there").permissions().mode() & 0o777;
        assert_eq!(mode(&directory.file("x.key")), 0o600);
        assert_eq!(mode(directory.root()), 0o700);
        assert_eq!(mode(&directory.evidence()), 0o700);
        assert_eq!(
            fs::read_dir(directory.root()).expect("lists").count(),
            2,
            "no temporary file stays"
        );
    }

    #[test]
    fn opening_creates_nothing() {
        let root = tempfile::tempdir().expect("a directory");
        let path = root.path().join("nothing");
        assert!(matches!(DataDir::open(&path), Err(StoreError::Missing { .. })));
        assert!(!path.exists());
    }

    #[test]
    fn a_second_serve_is_refused_until_the_first_ends() {
        let root = tempfile::tempdir().expect("a directory");
        let directory = DataDir::create(root.path()).expect("creates");
        let first = directory.lock().expect("locks");
        assert!(matches!(directory.lock(), Err(StoreError::Busy { .. })));
        drop(first);
        directory.lock().expect("locks again");
    }
}
