//! From which root a path is seen.

use std::os::fd::OwnedFd;

use rustix::fs::{Mode, OFlags};

use crate::{attribute::root_of, decode::ProcessKey};

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
}
