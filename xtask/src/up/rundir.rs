//! A private directory for this run's sockets, under /run because a socket's path is at most 107 bytes long.

use std::fs::{self, DirBuilder};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

/// `/run/claviger-up-PID/`, open to nobody else, removed at the end.
pub(super) struct RunDirectory {
    path: PathBuf,
}

impl RunDirectory {
    pub(super) fn make() -> anyhow::Result<Self> {
        let path = PathBuf::from(format!("/run/claviger-up-{}", std::process::id()));
        // One of the same pid from before, killed: its owner is gone.
        if path.is_dir() {
            fs::remove_dir_all(&path).with_context(|| format!("removing {}", path.display()))?;
        }
        DirBuilder::new()
            .mode(0o700)
            .create(&path)
            .with_context(|| format!("creating {}", path.display()))?;
        Ok(Self { path })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for RunDirectory {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.path) {
            eprintln!("warning: removing {}: {error}", self.path.display());
        }
    }
}
