//! Walks the file system only where a pattern can match, and says what is there and what could appear.
//!
//! - Every directory is met once with all patterns that are still possible there: where they only name exact names, these are looked
//!   up; a directory is listed only where one of them has a wildcard next.
//! - Files are never opened, only looked at (lstat).
//! - A symbolic link is followed where a pattern names it exactly or where it is the credential itself, and only if it belongs to root
//!   or to the owner of what it points at: else a user could have foreign files taken for credentials. So is a file with several names
//!   that belongs to neither root nor the owner of the directory. Links met in a listing of directories are not followed. Where one that is followed
//!   leads, a credential could appear under that name too ([`links`]).
//! - What was seen is told with each path ([`Seen`]), for the path can mean another file a moment later.
//! - What a program of some user serves (FUSE) is not touched, through links neither; network file systems are not listed ([`super::mounts`]); both are
//!   counted. One of the latter, or a program of root's, can still make the walk wait: give it a thread of its own, as [`Places::scan`] says.
//! - All is bounded by [`ScanLimits`], for each home apart, so that one user cannot use up what others need, and in a home for each directory that is listed;
//!   what was left out is counted, and named as far as there is room ([`LeftOut`]).

mod left_out;
mod links;
mod state;
mod walk;

use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use claviger_proto::catalogue::Entry;
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

use super::Places;
use super::mounts::Mounts;
use crate::credential::look::Seen;
pub use left_out::{LeftOut, Why};

/// Bounds of a scan.
#[derive(Clone, Copy, Debug)]
pub struct ScanLimits {
    /// Names listed or looked up in each home; in a search, in each directory at the root too.
    pub names_per_home: usize,
    /// Names listed or looked up in everything that is in no home. More, for only root decides what lies there.
    pub names_elsewhere: usize,
    /// Directories reported in each home, and again in everything that is in no home.
    pub directories_per_home: usize,
    /// Directories below each other, counted from the root.
    pub depth: usize,
    /// Files and directories reported.
    pub found: usize,
    /// Directories reported in which others would lead on.
    pub ways: usize,
    /// The same in each home.
    pub ways_per_home: usize,
}

impl Default for ScanLimits {
    fn default() -> Self {
        Self {
            names_per_home: 20_000,
            names_elsewhere: 250_000,
            directories_per_home: 2_048,
            depth: 32,
            found: 150_000,
            ways: 4_096,
            ways_per_home: 256,
        }
    }
}

impl ScanLimits {
    /// Those of a search of the whole host, which is made now and then only. Every directory at the root has a share of names like a home, so that
    /// `/usr` does not use up what `/var` needs.
    #[must_use]
    pub fn of_search() -> Self {
        Self {
            names_per_home: 50_000,
            found: 20_000,
            ..Self::default()
        }
    }
}

/// A file that is there and lies where a credential lies.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// Where, as seen from the root of the scan.
    pub path: PathBuf,
    /// Which file the scan saw there: what is labelled must be this one.
    pub seen: Seen,
    /// The entry that names it; where that wants a certain content, [`crate::credential::Contents::narrow`] says whether it does.
    pub entry: Arc<Entry>,
    /// Entries that name it where the content speaks against the one before.
    pub or: Vec<Arc<Entry>>,
}

/// A directory in which a credential could appear, or be replaced.
#[derive(Clone, Debug)]
pub struct LabelledDirectory {
    /// Where, as seen from the root of the scan.
    pub path: PathBuf,
    /// Which directory the scan saw there.
    pub seen: Seen,
    /// Names that would be a credential, whether they are there or not.
    pub names: Vec<(Vec<u8>, Arc<Entry>)>,
    /// Whether other names could be one too: ask [`Places::match_path`].
    pub has_patterns: bool,
    /// Whether it is there for credentials: the pattern of one names it by more than a directory at the root, and it is no home. `~/.ssh` is
    /// one; `/etc` and `/tmp` hold credentials among much else.
    pub is_for_credentials: bool,
    /// Whether one could lie in a directory that appears in it.
    pub leads_on: bool,
}

/// A directory in which one that does not exist yet would lead to credentials.
#[derive(Clone, Debug)]
pub struct Way {
    /// Where, as seen from the root of the scan.
    pub path: PathBuf,
    /// Which directory the scan saw there.
    pub seen: Seen,
}

/// What a scan found.
#[derive(Clone, Debug, Default)]
pub struct ScanResult {
    /// Credentials that are there.
    pub files: Vec<Candidate>,
    /// Where others could appear.
    pub directories: Vec<LabelledDirectory>,
    /// Where a new directory would lead on.
    pub ways: Vec<Way>,
    /// What was left out.
    pub left_out: LeftOut,
}

/// Why a scan did not begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cannot open the root of the scan")]
pub struct ScanError(#[source] Errno);

impl Places {
    /// Looks what is there below `root`. Blocks for as long as the file systems take: run it in a thread of its own, never in a task.
    pub fn scan(&self, root: &Path, limits: &ScanLimits) -> Result<ScanResult, ScanError> {
        // Of another root the mounts have other names; there, nothing is known about who serves what.
        let mountinfo = if root == Path::new("/") {
            std::fs::read("/proc/self/mountinfo").unwrap_or_default()
        } else {
            Vec::new()
        };
        self.scan_with(root, limits, &Mounts::parse(&mountinfo))
    }

    /// The same below a root that is held, whose mounts are these (of a process that has this root: `/proc/PID/mountinfo`). Nothing is looked at where
    /// the root itself is served by a program of some user. Each path is told before it is looked at, so that somebody else knows where it hangs; what
    /// may not be touched is left out and counted.
    pub fn scan_root(
        &self,
        root: &OwnedFd,
        mountinfo: &[u8],
        limits: &ScanLimits,
        step: &dyn Fn(&Path) -> bool,
    ) -> ScanResult {
        let mounts = Mounts::parse(mountinfo);
        if mounts.is_untouchable(Path::new("/")) {
            let mut result = ScanResult::default();
            result.left_out.add(Why::ServedElsewhere, Path::new("/"));
            return result;
        }
        walk::walk(self, root, limits, &mounts, step)
    }

    fn scan_with(&self, root: &Path, limits: &ScanLimits, mounts: &Mounts) -> Result<ScanResult, ScanError> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let root = rustix::fs::open(root, flags, Mode::empty()).map_err(ScanError)?;
        Ok(walk::walk(self, &root, limits, mounts, &|_| true))
    }
}

#[cfg(test)]
mod tests;
