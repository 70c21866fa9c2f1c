//! Whether files are this sensor's own: whoever else can write where its keys and its evidence lie can be it.

use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use thiserror::Error;

/// Why a file or directory is not to be trusted.
#[derive(Debug, Error)]
pub enum Untrusted {
    /// It belongs to somebody else.
    #[error(
        "{0} belongs to user {owner} and not to {wanted}: find out what that user did with it, then run `chown {wanted} {0}`",
        path.display()
    )]
    ForeignOwner {
        /// What.
        path: PathBuf,
        /// Whom it belongs to.
        owner: u32,
        /// Whom it should belong to.
        wanted: String,
    },
    /// Others than its owner may write it.
    #[error(
        "{0} can be written by others (mode {mode:04o}): find out who could, then run `chmod go-w {0}`",
        path.display()
    )]
    Writable {
        /// What.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
}

/// Makes sure that a directory belongs to root or the running user, and that nobody else may write it.
///
/// # Errors
/// Where that is not so it says what to run, and where it cannot be looked at what the system said.
pub fn trust_dir(path: &Path) -> io::Result<Result<(), Untrusted>> {
    Ok(trust(path, &fs::metadata(path)?))
}

/// The same with what is known of a file or directory.
pub(super) fn trust(path: &Path, metadata: &Metadata) -> Result<(), Untrusted> {
    let running = rustix::process::geteuid().as_raw();
    judge(path, metadata.uid(), metadata.mode() & 0o7777, running)
}

fn judge(path: &Path, owner: u32, mode: u32, running: u32) -> Result<(), Untrusted> {
    if owner != 0 && owner != running {
        let wanted = if running == 0 {
            "root".to_owned()
        } else {
            running.to_string()
        };
        return Err(Untrusted::ForeignOwner {
            path: path.to_owned(),
            owner,
            wanted,
        });
    }
    if mode & 0o022 != 0 {
        return Err(Untrusted::Writable {
            path: path.to_owned(),
            mode,
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_and_the_running_user_are_trusted_alone() {
        let judged = |owner, mode, running| judge(Path::new("/d"), owner, mode, running);
        for (owner, running) in [(0, 0), (0, 1_000), (1_000, 1_000)] {
            for mode in [0o700, 0o755, 0o750] {
                assert!(judged(owner, mode, running).is_ok(), "{owner} {mode:o} {running}");
            }
            for mode in [0o777, 0o1777, 0o775, 0o702] {
                let why = judged(owner, mode, running).expect_err("refused").to_string();
                assert!(why.contains(&format!("mode {mode:04o}")), "{why}");
                assert!(why.ends_with("run `chmod go-w /d`"), "{why}");
            }
        }
        for (owner, running, wanted) in [(1_000, 0, "root"), (1_001, 1_000, "1000")] {
            let why = judged(owner, 0o700, running).expect_err("refused").to_string();
            assert!(why.contains(&format!("belongs to user {owner} ")), "{why}");
            assert!(why.ends_with(&format!("run `chown {wanted} /d`")), "{why}");
        }
    }
}
