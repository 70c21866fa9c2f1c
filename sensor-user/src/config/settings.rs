//! The valid form: what the rest of the program works with.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use claviger_sensor_common::{OBJECTS_MAX, RING_BYTES};
use serde::{Deserialize, Serialize};

use super::{DetectorAddress, policy::DEFAULT_DIRECTORY};

/// The whole configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// What must outlive a restart: identity and spool. Whoever removes it loses the enrolment and every event that the detector
    /// has not acknowledged. Default `/var/lib/claviger/sensor`.
    pub state_dir: PathBuf,
    /// What ends with the boot: the lock that keeps a second sensor out, and the control socket. Default `/run/claviger`.
    pub runtime_dir: PathBuf,
    /// The host's name in workload ids and at enrolment; the kernel's host name where it is not given. Changing it changes
    /// every workload id of this host.
    pub host_name: Option<String>,
    /// Where events go.
    pub detector: Detector,
    /// The queue on disk.
    pub spool: Spool,
    /// How events are put together.
    pub batch: Batch,
    /// Which hooks may be used.
    pub probes: Probes,
    /// Where credentials are looked for.
    pub catalogue: Catalogue,
    /// The sensor's metrics.
    pub metrics: Metrics,
    /// The sensor's own log.
    pub log: Log,
}

/// Where events go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Detector {
    /// The detector's gRPC address. Default `127.0.0.1:7402`.
    pub address: DetectorAddress,
}

/// The queue on disk, which holds what the detector has not acknowledged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spool {
    /// Most bytes on disk; at least two segments. A detector that is away for longer than this lasts costs events, by
    /// `when_full`. Default 256 MiB.
    pub max_bytes: u64,
    /// Size at which a new segment is begun, 64 KiB to 1 GiB. `drop_oldest` loses this much at a time. Default 8 MiB.
    pub segment_bytes: u64,
    /// What is lost when the spool is full. Default `drop_oldest`.
    pub when_full: WhenFull,
}

/// What a full spool loses. Either way the loss is counted and told in a signed gap.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum WhenFull {
    /// The new batch: what began an incident is kept, what follows is lost.
    DropNewest,
    /// The oldest segment: the present is kept, the beginning is lost.
    DropOldest,
}

/// How events are put together into one signed batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// Most events in a batch, 1 to 10 000. Default 512.
    pub max_events: usize,
    /// Longest that an event waits for its batch to fill, 1 to 100 ms: also what a crash of the sensor can lose. Default 100 ms.
    pub max_delay: Duration,
}

/// Which hooks may be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probes {
    /// Hooks for file opens in order of preference; a hook that is not listed is never tried. With `tracepoint` alone no other
    /// probe uses LSM or fentry either. Default all: lsm, fentry, tracepoint.
    pub file_open_hooks: Vec<FileOpenHook>,
    /// How often the running sensor opens a file of its own to see whether the probes still see it, 1 s to an hour: for so long it can be
    /// blind before it says so. Default 1 min.
    pub self_test_interval: Duration,
    /// How often all open descriptors are looked through where the hooks in use do not see every way to one, 1 s to an hour. Default 1.5 s.
    pub look_interval: Duration,
    /// Whether opens by 32-bit system calls are looked for where opens are seen by tracepoints, at a price on every system call. Default no.
    pub compat_calls: bool,
    /// Which connections are told, at a price on every connection. Default those that the catalogue names.
    pub network: Network,
    /// Bytes of the ring in which records wait for the agent, a power of two from 64 KiB to 64 MiB: how long a burst may last before uses are lost,
    /// which is counted. A record of a use takes 2 KiB. Default 16 MiB.
    pub ring_bytes: u32,
    /// By how much the nice value of the threads that take records and keep what comes of them is lowered, 0 to 20: where a host is busy, records would
    /// wait for them until the ring is full. Default 20.
    pub priority_boost: u8,
}

/// Which connections are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Network {
    /// None: nothing is watched.
    Off,
    /// Those to token endpoints and identity providers of the catalogue. Of others nothing is kept.
    Known,
    /// Also every other TLS session, with the name that was asked for.
    All,
}

/// A hook that sees files being opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FileOpenHook {
    /// `fentry/security_file_open`.
    Fentry,
    /// `lsm/file_open`.
    Lsm,
    /// `tracepoint/syscalls/sys_exit_open*`.
    Tracepoint,
}

/// Where credentials are looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Catalogue {
    /// How often the places of the catalogue are looked through for new files, 100 ms to an hour; more seldom where looking takes more than a
    /// twentieth of that. What a directory that appears holds is looked at at once. Default 2 s.
    pub rescan_interval: Duration,
    /// More directories that are homes, absolute, for users that /etc/passwd does not list. Default none.
    pub extra_homes: Vec<PathBuf>,
    /// Where files lie that add to the shipped catalogue and remove from it (`*.toml`, in the order of their names). One that is named here and
    /// is not the default must be there. Default `/etc/claviger/catalogue.d`.
    pub directory: PathBuf,
    /// How often the whole host is searched for what can lie anywhere (`**/*.pem`), 1 s to a day. What appears between is not seen until
    /// then. Default 10 min.
    pub search_interval: Duration,
    /// Files labelled at once, 64 to 131 072: each takes about 100 bytes of the kernel's memory, whether it is there or not. What is more is
    /// counted and told as not watched. Default 131 072.
    pub max_labelled_files: u32,
}

/// The sensor's metrics, as OpenMetrics text by HTTP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Metrics {
    /// The address at which they are served, at `/metrics`, without a password or TLS. Default none: nothing listens.
    pub listen: Option<SocketAddr>,
}

/// The sensor's own log, on standard error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Log {
    /// The least important lines that are written. Default `info`.
    pub level: LogLevel,
    /// Lines for people or JSON objects. Default `text`.
    pub format: LogFormat,
}

/// How important a log line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LogLevel {
    /// Lost data, or someone must act.
    Error,
    /// Unexpected, nothing lost.
    Warn,
    /// Start, stop, changes of state.
    Info,
    /// For finding faults.
    Debug,
    /// Everything.
    Trace,
}

impl LogLevel {
    /// The level as the configuration and tracing's filters spell it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }
}

/// How the log is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// One JSON object a line.
    Json,
    /// For people.
    Text,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            state_dir: PathBuf::from("/var/lib/claviger/sensor"),
            runtime_dir: PathBuf::from("/run/claviger"),
            host_name: None,
            detector: Detector {
                address: DetectorAddress::default(),
            },
            spool: Spool {
                max_bytes: 256 << 20,
                segment_bytes: 8 << 20,
                when_full: WhenFull::DropOldest,
            },
            batch: Batch {
                max_events: 512,
                max_delay: Duration::from_millis(100),
            },
            probes: Probes {
                file_open_hooks: vec![FileOpenHook::Lsm, FileOpenHook::Fentry, FileOpenHook::Tracepoint],
                self_test_interval: Duration::from_secs(60),
                look_interval: Duration::from_millis(1_500),
                compat_calls: false,
                network: Network::Known,
                ring_bytes: RING_BYTES,
                priority_boost: 20,
            },
            catalogue: Catalogue {
                rescan_interval: Duration::from_secs(2),
                extra_homes: Vec::new(),
                directory: PathBuf::from(DEFAULT_DIRECTORY),
                search_interval: Duration::from_secs(600),
                max_labelled_files: OBJECTS_MAX,
            },
            metrics: Metrics { listen: None },
            log: Log {
                level: LogLevel::Info,
                format: LogFormat::Text,
            },
        }
    }
}

impl Config {
    /// The host's name: the configured one, else the kernel's.
    #[must_use]
    pub fn effective_host_name(&self) -> String {
        self.host_name
            .clone()
            .or_else(|| sysinfo::System::host_name().ok())
            .unwrap_or_else(|| "localhost".to_owned())
    }
}
