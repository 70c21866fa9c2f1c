//! How the forwarding goes, for whoever asks.

use serde::Serialize;

/// How the forwarding goes.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct ForwardState {
    /// Whether a stream to the detector is open.
    pub connected: bool,
    /// Batches in the spool that the detector has not acknowledged.
    pub waiting_batches: u64,
    /// Why batches do not get to the detector, for a person; nothing where they do, or where none waits on a connection that is open.
    pub last_error: Option<String>,
    /// How far this host's clock is ahead of the detector's, in milliseconds; nothing where nothing was heard from it yet.
    pub clock_offset_ms: Option<i64>,
    /// Streams to the detector that it took, since the start.
    pub connections: u64,
    /// Batches handed to a stream since the start; one that a broken stream did not get through is handed to the next, and counted again.
    pub sent_batches: u64,
    /// Receipts that came for them since the start. One may stand for several batches.
    pub receipts: u64,
    /// Batches that were sent on the stream that is open and have no answer yet.
    pub in_flight_batches: u64,
    /// Their bytes.
    pub in_flight_bytes: u64,
    /// Batches that the detector refused for good since the start.
    pub rejected_batches: u64,
    /// Boot of the last acknowledged batch.
    pub acknowledged_boot_id: Option<String>,
    /// Last sequence of the last acknowledged batch.
    pub acknowledged_sequence: u64,
    /// When this sensor's certificate ends, in seconds since 1970.
    pub certificate_not_after: i64,
}
