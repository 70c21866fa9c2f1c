//! How a probe came out: the hook in use, those tried before it, and what is not seen.

use std::fmt;

use claviger_sensor_common::Probe;

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
    /// A probe without a hook.
    pub(super) fn without(probe: Probe, refused: Vec<HookTrial>) -> Self {
        let what = match probe {
            Probe::FileOpen => "opens of credential files",
            Probe::FileOpenDenied => "refused opens",
            Probe::ProcessExec | Probe::ProcessFork | Probe::ProcessExit => {
                "processes but by their snapshot at a use and by /proc"
            }
            Probe::FileReceived => "descriptors that come from other processes",
            Probe::FileMapped => "files mapped into memory",
            Probe::FileInherited => "programs started with a credential open",
            Probe::ProcessSecret => "ptrace and process_vm_readv",
            Probe::CredentialChange => "changes of credential files",
            Probe::DirectoryList => "listings of directories of credentials",
            Probe::ProgramSecrets => "credentials in the environment or arguments of programs",
            Probe::KernelKey => "uses of keys of the kernel's keyrings",
            Probe::AgentSocket => "connections to sockets of programs that hold keys",
            Probe::CoreDump => "core dumps of processes that may hold a credential",
            Probe::SensorTamper => "what is done to the sensor",
            Probe::Network => "connections to token endpoints and identity providers",
            Probe::FileCopied => "copies of credentials",
            Probe::OpenDescriptors => "descriptors that were open before, or came by ways that no hook sees",
        };
        Self {
            probe,
            hook: None,
            refused,
            cannot_see: vec![what.to_owned()],
        }
    }
}
