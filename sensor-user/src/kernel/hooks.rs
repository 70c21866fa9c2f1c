//! The hooks of each probe, in order of preference, and what each cannot see.

use std::fmt;

use claviger_sensor_common::Probe;

use crate::config::FileOpenHook;

/// A hook's full name, as events and `check` show it.
#[must_use]
pub const fn name(hook: FileOpenHook) -> &'static str {
    match hook {
        FileOpenHook::Lsm => "lsm/file_open",
        FileOpenHook::Fentry => "fentry/security_file_open",
        FileOpenHook::Tracepoint => "tracepoint/syscalls/sys_exit_openat",
    }
}

/// What a hook cannot see.
#[must_use]
pub(super) const fn cannot_see(hook: FileOpenHook) -> &'static [&'static str] {
    match hook {
        FileOpenHook::Lsm => {
            &["whether an LSM after this one refused the open: its outcome is then said as succeeded"]
        }
        FileOpenHook::Fentry => &["whether an LSM refused the open: its outcome is then said as succeeded"],
        FileOpenHook::Tracepoint => &[
            "opens by 32-bit system calls (int 0x80)",
            "opens by io_uring",
            "opens by open_by_handle_at",
            "opens by creat",
        ],
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

impl ProbeState {
    /// A probe of processes without a hook.
    pub(super) fn without_processes(probe: Probe, hook: String, reason: String) -> Self {
        Self {
            probe,
            hook: None,
            refused: vec![HookTrial { hook, reason }],
            cannot_see: vec!["processes but by their snapshot at a use and by /proc".to_owned()],
        }
    }
}
