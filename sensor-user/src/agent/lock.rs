//! One sensor per host.

use std::{
    fs::{self, File},
    io::{self, Seek as _, Write as _},
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use rustix::fs::{FlockOperation, Mode, OFlags, flock};

use crate::{
    attribute::is_ending,
    sign::{Untrusted, trust_dir},
};

/// For so long a sensor that is ending, or was killed, is waited for: until the kernel has taken its programs down it has the lock.
const ENDING_PATIENCE: Duration = Duration::from_secs(10);

/// How often it is looked at.
const POLL: Duration = Duration::from_millis(20);

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
    /// Takes the lock in the runtime directory, which is made if it is not there (0700). Where a process has it that is ending, waits for its end,
    /// after saying so by `waits`; one that goes on running is not waited for.
    ///
    /// # Errors
    /// [`LockError`].
    pub fn take(runtime_dir: &Path, waits: impl FnOnce(&str)) -> Result<Self, LockError> {
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
        let begun = Instant::now();
        let mut waits = Some(waits);
        while flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
            let pid = holder(&file);
            let is_worth_it = pid.parse().is_ok_and(is_ending) && begun.elapsed() < ENDING_PATIENCE;
            if !is_worth_it {
                return Err(LockError::Held { pid, path });
            }
            if let Some(waits) = waits.take() {
                waits(&pid);
            }
            thread::sleep(POLL);
        }
        file.set_len(0).map_err(io)?;
        file.rewind().map_err(io)?;
        writeln!(file, "{}", std::process::id()).map_err(io)?;
        Ok(Self { _file: file })
    }
}

/// Who has the lock, as it wrote it, or `?`.
fn holder(file: &File) -> String {
    let mut pid = [0; 16];
    // Best effort: without it nobody is waited for, and the message is worse.
    let read = file.read_at(&mut pid, 0).unwrap_or(0);
    let pid = String::from_utf8_lossy(&pid[..read]).trim().to_owned();
    if pid.is_empty() { "?".to_owned() } else { pid }
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

    fn nobody(pid: &str) {
        panic!("process {pid} is waited for");
    }

    /// Until the kernel has closed the descriptors of a process that was killed, it has the lock.
    #[test]
    fn one_that_is_gone_or_ending_is_waited_for() {
        let directory = tempfile::tempdir().expect("a directory");
        let mut dead = std::process::Command::new("/bin/true").spawn().expect("starts");
        let first = RunLock::take(directory.path(), nobody).expect("free");
        // Not waited for yet: it is there, and has ended.
        let path = directory.path().join("sensor.lock");
        fs::write(&path, format!("{}\n", dead.id())).expect("written");
        let mut told = None;
        let mut first = Some(first);
        while !is_ending(dead.id()) {
            thread::yield_now();
        }
        RunLock::take(directory.path(), |pid| {
            told = Some(pid.to_owned());
            first.take();
        })
        .expect("free once the first is gone");
        assert_eq!(told, Some(dead.id().to_string()));
        dead.wait().expect("ours");
    }

    #[test]
    fn the_second_is_refused_and_told_who_is_first() {
        let directory = tempfile::tempdir().expect("a directory");
        let runtime_dir = directory.path().join("run");
        let first = RunLock::take(&runtime_dir, nobody).expect("free");
        let error = RunLock::take(&runtime_dir, nobody).expect_err("held");
        assert!(
            error.to_string().contains(&format!("pid {}", std::process::id())),
            "{error}"
        );
        drop(first);
        RunLock::take(&runtime_dir, nobody).expect("free again");
    }

    #[test]
    fn a_directory_that_others_may_write_is_refused() {
        use std::os::unix::fs::PermissionsExt as _;
        let directory = tempfile::tempdir().expect("a directory");
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o1777)).expect("set");
        let error = RunLock::take(directory.path(), nobody).expect_err("refused");
        assert!(matches!(error, LockError::Untrusted(_)), "{error}");
        assert!(error.to_string().contains("chmod go-w "), "{error}");
        assert!(!directory.path().join("sensor.lock").exists());
    }
}
