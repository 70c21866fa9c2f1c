//! The hooks of each probe, in order of preference, and what each cannot see.

use std::{fmt, str::FromStr};

use claviger_sensor_common::Probe;

/// A hook that sees files opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FileOpenHook {
    /// `lsm/file_open`.
    Lsm,
    /// `fentry/security_file_open`.
    Fentry,
    /// `tracepoint/syscalls/sys_exit_{open,openat,openat2}`.
    Tracepoint,
}

impl FileOpenHook {
    /// All, best first.
    pub const ALL: [Self; 3] = [Self::Lsm, Self::Fentry, Self::Tracepoint];

    /// The hook's full name, as events and `check` show it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Lsm => "lsm/file_open",
            Self::Fentry => "fentry/security_file_open",
            Self::Tracepoint => "tracepoint/syscalls/sys_exit_openat",
        }
    }

    /// The word for it in configuration.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Lsm => "lsm",
            Self::Fentry => "fentry",
            Self::Tracepoint => "tracepoint",
        }
    }

    /// What it cannot see.
    #[must_use]
    pub const fn cannot_see(self) -> &'static [&'static str] {
        match self {
            Self::Lsm => &["whether an LSM after this one refused the open: its outcome is then said as succeeded"],
            Self::Fentry => &["whether an LSM refused the open: its outcome is then said as succeeded"],
            Self::Tracepoint => &[
                "opens by 32-bit system calls (int 0x80)",
                "opens by io_uring",
                "opens by open_by_handle_at",
                "opens by creat",
            ],
        }
    }
}

impl fmt::Display for FileOpenHook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for FileOpenHook {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|hook| hook.word() == word)
            .ok_or_else(|| format!("unknown hook {word:?}: expected lsm, fentry or tracepoint"))
    }
}

/// One hook that was tried and is not in use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HookTrial {
    /// The hook's full name.
    pub hook: String,
    /// Why it is not in use.
    pub reason: String,
}

impl fmt::Display for HookTrial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.hook, self.reason)
    }
}

/// How a probe came out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProbeState {
    /// The probe.
    pub probe: Probe,
    /// The hook in use; nothing where none works.
    pub hook: Option<String>,
    /// The hooks tried before it.
    pub refused: Vec<HookTrial>,
    /// What is not seen by the hook in use.
    pub cannot_see: Vec<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_hook_is_found_by_its_word() {
        for hook in FileOpenHook::ALL {
            assert_eq!(hook.word().parse(), Ok(hook));
        }
        assert!("kprobe".parse::<FileOpenHook>().expect_err("not one of ours").contains("tracepoint"));
    }
}
