//! From which root a path is seen.

use std::{
    os::fd::OwnedFd,
    path::{Path, PathBuf},
};

use rustix::fs::{Mode, OFlags};

use crate::{attribute::root_of, credential::seen_through, decode::ProcessKey};

/// Whose root.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SeenFrom {
    /// The sensor's.
    Here,
    /// This process's.
    Process(ProcessKey),
}

impl SeenFrom {
    /// Its directory, held; nothing where the process is gone.
    pub(super) fn hold(self) -> Option<OwnedFd> {
        match self {
            Self::Here => {
                let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
                rustix::fs::open("/", flags, Mode::empty()).ok()
            }
            Self::Process(process) => root_of(process),
        }
    }
    /// By which path this process reaches one that is seen from there.
    pub(super) fn reach(self, path: &Path) -> PathBuf {
        match self {
            Self::Here => path.to_owned(),
            Self::Process(process) => seen_through(&root_path(process.pid), path),
        }
    }
}

/// By which path this process reaches the root of another.
pub(super) fn root_path(pid: u32) -> PathBuf {
    format!("/proc/{pid}/root").into()
}
