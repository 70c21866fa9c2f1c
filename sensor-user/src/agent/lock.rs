//! One sensor per host.

use std::{
    fs::{self, File},
    io::{self, Read as _, Seek as _, Write as _},
    path::{Path, PathBuf},
};

use rustix::fs::{FlockOperation, Mode, OFlags, flock};

use crate::sign::{Untrusted, trust_dir};

/// Why this sensor may not run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LockError {
    /// Another runs.
    #[error(
        "another sensor runs on this host (pid {pid}, lock {path}); stop it first, or use `claviger-sensor trace`, which works beside it"
    )]
    Held {
        /// Its process id as it wrote it, or `?`.
        pid: String,
        /// The lock.
        path: PathBuf,
    },
    /// Somebody else could take the lock, or answer in this sensor's place.
    #[error(transparent)]
    Untrusted(#[from] Untrusted),
    /// The lock cannot be made.
    #[error("making the lock {path}")]
    Io {
        /// The lock.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

/// The lock, held until it is dropped.
#[derive(Debug)]
pub struct RunLock {
    _file: File,
}

impl RunLock {
    /// Takes the lock in the runtime directory, which is made if it is not there (0700).
    ///
    /// # Errors
    /// [`LockError`].
    pub fn take(runtime_dir: &Path) -> Result<Self, LockError> {
        let path = runtime_dir.join("sensor.lock");
        let io = |source| LockError::Io {
            path: path.clone(),
            source,
        };
        make_private(runtime_dir).map_err(io)?;
        trust_dir(runtime_dir).map_err(io)??;
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let file =
            rustix::fs::open(&path, flags, Mode::from_raw_mode(0o600)).map_err(|error| io(error.into()))?;
        let mut file = File::from(file);
        if flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
            let mut pid = String::new();
            // Best effort: the pid only makes the message better.
            let _unreadable = (&mut file).take(16).read_to_string(&mut pid);
            let pid = if pid.trim().is_empty() {
                "?".to_owned()
            } else {
                pid.trim().to_owned()
            };
            return Err(LockError::Held { pid, path });
        }
        file.set_len(0).map_err(io)?;
        file.rewind().map_err(io)?;
        writeln!(file, "{}", std::process::id()).map_err(io)?;
        Ok(Self { _file: file })
    }
}

/// Makes a directory that only its owner may enter. One that is there is left as it is.
fn make_private(directory: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(directory)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_is_refused_and_told_who_is_first() {
        let directory = tempfile::tempdir().expect("a directory");
        let runtime_dir = directory.path().join("run");
        let first = RunLock::take(&runtime_dir).expect("free");
        let error = RunLock::take(&runtime_dir).expect_err("held");
        assert!(
            error.to_string().contains(&format!("pid {}", std::process::id())),
            "{error}"
        );
        drop(first);
        RunLock::take(&runtime_dir).expect("free again");
    }

    #[test]
    fn a_directory_that_others_may_write_is_refused() {
        use std::os::unix::fs::PermissionsExt as _;
        let directory = tempfile::tempdir().expect("a directory");
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o1777)).expect("set");
        let error = RunLock::take(directory.path()).expect_err("refused");
        assert!(matches!(error, LockError::Untrusted(_)), "{error}");
        assert!(error.to_string().contains("chmod go-w "), "{error}");
        assert!(!directory.path().join("sensor.lock").exists());
    }
}
