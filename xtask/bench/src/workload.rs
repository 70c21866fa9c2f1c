//! What is measured.

use std::fmt;

/// One thing that processes do, whose cost is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Workload {
    /// (a) A file that is no credential is opened and closed.
    Unrelated,
    /// (b) A system call that nobody watches.
    Getppid,
    /// (c) A credential is opened and closed, by a process that has not opened it before.
    FirstUse,
    /// (c) The same, again.
    Repeat,
    /// (d) A process is made, executes a program, and ends.
    Process,
    /// (e) A crate of 60 files is checked by cargo.
    Mix,
}

impl Workload {
    pub(crate) const ALL: [Self; 6] = [
        Self::Unrelated,
        Self::Getppid,
        Self::FirstUse,
        Self::Repeat,
        Self::Process,
        Self::Mix,
    ];

    /// In results and recorded counts.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Unrelated => "open_unrelated",
            Self::Getppid => "getppid",
            Self::FirstUse => "open_credential_first",
            Self::Repeat => "open_credential_repeat",
            Self::Process => "fork_exec_exit",
            Self::Mix => "cargo_check",
        }
    }
}

impl fmt::Display for Workload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
