//! The way behind the agent, as `status` shows it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::EvidenceStatus;

/// Signing, spool and the way to the detector.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EvidenceReport {
    /// The sensor's id.
    pub sensor_id: String,
    /// The boot.
    pub boot_id: String,
    /// The last event that was sealed; 0 where there is none yet.
    pub last_sequence: u64,
    /// Batches sealed since the start.
    pub sealed_batches: u64,
    /// Events that were sealed and kept since the start, by the word of their kind.
    pub sealed_events: BTreeMap<String, u64>,
    /// Gaps among them, by their reason.
    pub gaps: BTreeMap<String, u64>,
    /// What the spool takes.
    pub spool_bytes: u64,
    /// What it may take.
    pub spool_max_bytes: u64,
    /// Whether what comes now cannot be kept.
    pub refusing: bool,
    /// Whether where the chain stands cannot be written down outside of the spool.
    #[serde(default)]
    pub is_unanchored: bool,
    /// Whether a stream to the detector is open.
    pub connected: bool,
    /// Batches that the detector has not acknowledged.
    pub waiting_batches: u64,
    /// Batches sent since the start, those that were sent again included.
    pub sent_batches: u64,
    /// Receipts that came since the start.
    pub receipts: u64,
    /// The last event that the detector has acknowledged.
    pub acknowledged_sequence: u64,
    /// Batches that the detector refused for good since the start.
    pub rejected_batches: u64,
    /// Why batches do not get to the detector; nothing where they do.
    pub last_error: Option<String>,
    /// How far this host's clock is ahead of the detector's; nothing where nothing was heard from it yet.
    pub clock_offset_ms: Option<i64>,
    /// When this sensor's certificate ends, in seconds since 1970.
    pub certificate_not_after: i64,
}

impl From<&EvidenceStatus> for EvidenceReport {
    fn from(status: &EvidenceStatus) -> Self {
        let outbox = &status.outbox;
        let forward = &outbox.forward;
        Self {
            sensor_id: outbox.sensor_id.to_string(),
            boot_id: outbox.boot_id.to_string(),
            last_sequence: outbox.last_sequence,
            sealed_batches: outbox.sealed_batches,
            sealed_events: status.sealed.clone(),
            gaps: status.gaps.clone(),
            spool_bytes: outbox.spool.bytes,
            spool_max_bytes: outbox.spool_max_bytes,
            refusing: outbox.refusing,
            is_unanchored: outbox.is_unanchored,
            connected: forward.connected,
            waiting_batches: forward.waiting_batches,
            sent_batches: forward.sent_batches,
            receipts: forward.receipts,
            acknowledged_sequence: forward.acknowledged_sequence,
            rejected_batches: forward.rejected_batches,
            last_error: forward.last_error.clone(),
            clock_offset_ms: forward.clock_offset_ms,
            certificate_not_after: forward.certificate_not_after,
        }
    }
}
