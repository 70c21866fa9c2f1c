//! The kernel half's accounts. Per probe and CPU, in 64-bit slots added to atomically:
//! `seen = submitted + Σ lost(reason)`, always. What repeats a use that was reported is in `repeated` and not in `seen`; it is equal to the
//! sum of all counts of the map of repeats, those of deleted entries included.

/// A family of hooks that observes one thing.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Probe {
    /// Opens of labelled files that the kernel let happen.
    FileOpen = 0,
    /// Opens that the kernel refused with EACCES or EPERM.
    FileOpenDenied = 1,
    /// Programs started.
    ProcessExec = 2,
    /// Processes created.
    ProcessFork = 3,
    /// Processes ended.
    ProcessExit = 4,
    /// Open descriptors of labelled files that came from another process.
    FileReceived = 5,
    /// Labelled files mapped into memory.
    FileMapped = 6,
    /// Programs started with a labelled file open.
    FileInherited = 7,
    /// Reaching for another process's memory, environment or descriptors, or for all memory.
    ProcessSecret = 8,
    /// Changes of a labelled file: of its name, its contents, its mode, its owner.
    CredentialChange = 9,
    /// Listings of directories in which credentials lie.
    DirectoryList = 10,
    /// Programs started with a credential in their environment or arguments.
    ProgramSecrets = 11,
    /// Uses of keys of the kernel's keyrings.
    KernelKey = 12,
    /// Core dumps of processes that may have held a credential.
    CoreDump = 13,
    /// Things done to the sensor itself.
    SensorTamper = 14,
    /// Open descriptors of labelled files, found by the look through all of them.
    OpenDescriptors = 15,
    /// Files opened for writing by processes that have read a credential.
    FileCopied = 16,
    /// What processes do on the network.
    Network = 17,
    /// Connections to sockets of this host.
    AgentSocket = 18,
}

/// All probes, in the order of their numbers.
pub const PROBES: [Probe; 19] = [
    Probe::FileOpen,
    Probe::FileOpenDenied,
    Probe::ProcessExec,
    Probe::ProcessFork,
    Probe::ProcessExit,
    Probe::FileReceived,
    Probe::FileMapped,
    Probe::FileInherited,
    Probe::ProcessSecret,
    Probe::CredentialChange,
    Probe::DirectoryList,
    Probe::ProgramSecrets,
    Probe::KernelKey,
    Probe::CoreDump,
    Probe::SensorTamper,
    Probe::OpenDescriptors,
    Probe::FileCopied,
    Probe::Network,
    Probe::AgentSocket,
];

impl Probe {
    /// The word that stands for it in events, logs and metrics.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::FileOpen => "file_open",
            Self::FileOpenDenied => "file_open_denied",
            Self::ProcessExec => "process_exec",
            Self::ProcessFork => "process_fork",
            Self::ProcessExit => "process_exit",
            Self::FileReceived => "file_received",
            Self::FileMapped => "file_mapped",
            Self::FileInherited => "file_inherited",
            Self::ProcessSecret => "process_secret",
            Self::CredentialChange => "credential_change",
            Self::DirectoryList => "directory_list",
            Self::ProgramSecrets => "program_secrets",
            Self::KernelKey => "kernel_key",
            Self::CoreDump => "core_dump",
            Self::SensorTamper => "sensor_tamper",
            Self::OpenDescriptors => "open_descriptors",
            Self::FileCopied => "file_copied",
            Self::Network => "network",
            Self::AgentSocket => "agent_socket",
        }
    }
}

/// One account of a probe.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counter {
    /// Observations that were to be reported.
    Seen = 0,
    /// Records handed to the ring buffer.
    Submitted = 1,
    /// Lost: the ring buffer was full.
    LostRingFull = 2,
    /// Lost: kernel or user memory could not be read.
    LostUnreadable = 3,
    /// Lost: more was under way than is kept until its end: opens in io_uring that were refused, or changes.
    LostInFlight = 4,
    /// Uses that repeat one that was reported, counted in its place.
    Repeated = 5,
    /// Lost: more processes have read a credential than are kept, so what this one writes, or a core dump of it, is not looked at.
    LostReaders = 6,
    /// Lost: a process that has read a credential opened more files for writing, in one second, than are looked at.
    LostWritten = 7,
    /// Lost: another thread had closed the descriptor that an open returned before the call ended, so what was opened is not known.
    LostDescriptorGone = 8,
    /// Lost: a process has room for more open descriptors, or a ring for more fixed files, than are looked through.
    LostDescriptors = 9,
    /// Lost: a file lies at the name of a credential and could not be labelled, for as many are as are kept, so its uses by another name are not seen until the agent
    /// has looked.
    LostLabels = 10,
}

/// Slots of one probe.
pub const COUNTERS_PER_PROBE: u32 = 11;

impl Counter {
    /// Index of this account in the map of counters.
    #[must_use]
    pub const fn index(self, probe: Probe) -> u32 {
        probe as u32 * COUNTERS_PER_PROBE + self as u32
    }
}
