//! Until when this host was watched, for the gap that the next start has to tell.

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::SystemTime,
};

/// A stamp in the state directory, renewed while the sensor watches. A crash leaves it at most a renewal (10 s) too early, never too late.
#[derive(Debug)]
pub struct WatchedUntil {
    path: PathBuf,
}

impl WatchedUntil {
    /// The stamp in a state directory.
    #[must_use]
    pub fn in_state_dir(state_dir: &Path) -> Self {
        Self {
            path: state_dir.join("watched-until"),
        }
    }

    /// When it was renewed last; nothing before the first start.
    #[must_use]
    pub fn read(&self) -> Option<SystemTime> {
        fs::metadata(&self.path)
            .and_then(|metadata| metadata.modified())
            .ok()
    }

    /// Renews it.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn renew(&self) -> io::Result<()> {
        fs::write(&self.path, b"the host was watched until this file was written\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_tells_when_it_was_renewed() {
        let directory = tempfile::tempdir().expect("a directory");
        let stamp = WatchedUntil::in_state_dir(directory.path());
        assert_eq!(stamp.read(), None);
        stamp.renew().expect("written");
        assert!(stamp.read().is_some());
    }
}
