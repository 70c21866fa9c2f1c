//! What is asked and answered at the control socket.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::agent::{Accounts, EvidenceReport, PolicyReport, ScanCounts, SelfTestReport, SelfUsage};

/// What can be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "request", deny_unknown_fields)]
pub enum Request {
    /// How is it going?
    Status,
    /// Seal and keep everything that happened until now, then say up to where.
    Flush,
    /// The asking process is a sensor too: it opens candidates to recognise them, which is no use of a credential.
    Announce,
}

/// What is answered.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// To [`Request::Status`].
    Status(Box<Status>),
    /// To [`Request::Flush`].
    Flushed(Flushed),
    /// To [`Request::Announce`].
    Announced,
    /// The request could not be answered.
    Error(String),
}

/// Up to where everything is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Flushed {
    /// The sensor's id.
    pub sensor_id: String,
    /// The boot.
    pub boot_id: String,
    /// The last event that was kept; 0 where there is none yet.
    pub sequence: u64,
    /// Whether what came last could not be kept and is lost, as a gap will tell.
    pub refusing: bool,
    /// Batches that were kept and that the detector refused for good since the sensor was started.
    pub rejected_batches: u64,
}

/// One probe's state and accounts.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ProbeReport {
    /// The probe.
    pub probe: String,
    /// The hook in use; nothing where none works.
    pub hook: Option<String>,
    /// Hooks tried before it, with why they are not in use.
    pub refused: Vec<String>,
    /// What is not seen.
    pub cannot_see: Vec<String>,
    /// Observations that were to be reported.
    pub seen: u64,
    /// Records handed to the ring buffer.
    pub submitted: u64,
    /// Losses by reason.
    pub lost: BTreeMap<String, u64>,
    /// Uses that repeat one that was reported, counted by the kernel half.
    pub repeated: u64,
    /// The same for each possible CPU on which something was seen.
    pub cpus: Vec<CpuReport>,
}

/// One probe's accounts on one CPU, without the runs that the kernel left out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CpuReport {
    /// Its place among the possible CPUs.
    pub cpu: usize,
    /// Observations that were to be reported.
    pub seen: u64,
    /// Records handed to the ring buffer.
    pub submitted: u64,
    /// All losses together.
    pub lost: u64,
}

/// How a running sensor is.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Status {
    /// Its version.
    pub version: String,
    /// Its process id.
    pub pid: u32,
    /// Seconds since it began to watch.
    pub uptime_s: f64,
    /// What it costs.
    pub usage: SelfUsage,
    /// CPU since it began to watch, as a share of one core.
    pub cpu_share: f64,
    /// The probes.
    pub probes: Vec<ProbeReport>,
    /// What became of the records.
    pub accounts: Accounts,
    /// Accounts that do not hold, by how much: `ring`, `agent`, or a probe's in the kernel. Nothing, unless the sensor has a fault.
    pub unbalanced: BTreeMap<String, u64>,
    /// What is labelled.
    pub labelled: ScanCounts,
    /// Mounts, or paths, at which nothing answers, and which are not looked at until something does.
    pub hanging: Vec<String>,
    /// Which catalogue is in force.
    pub policy: PolicyReport,
    /// Whether the probes were seen to work lately; nothing where that is not tested.
    pub self_test: Option<SelfTestReport>,
    /// Processes in the table.
    pub processes: usize,
    /// The way behind it: spool and detector; nothing where there is none.
    pub evidence: Option<EvidenceReport>,
}
