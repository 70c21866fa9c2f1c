//! The agent's metrics: what there is, in the groups of `docs/metrics.md`, and how they are filled from what `status` shows. Pure: the numbers are
//! handed in by the loop that owns them, so that nothing is counted twice.

mod behind;
mod definitions;
mod held;
mod itself;
mod kernel;
mod uses;

use std::{collections::BTreeMap, time::SystemTime};

pub(super) use held::Held;

use super::{EvidenceStatus, Status};
use crate::{
    kernel::MapFill,
    metrics::{Definition, LISTENER_METRICS, Snapshot},
};

/// All metrics of the sensor, by group.
pub const METRIC_GROUPS: [(&str, &[&Definition]); 6] = [
    ("In the kernel", &kernel::METRICS),
    ("Uses in the agent", &uses::METRICS),
    ("How full things are", &held::METRICS),
    ("Signed, kept, sent", &behind::METRICS),
    ("The sensor itself", &itself::METRICS),
    ("The listener of these metrics", &LISTENER_METRICS),
];

/// What there is to measure beside the status.
pub(super) struct Beside<'a> {
    /// Now.
    pub now: SystemTime,
    /// When the agent began to watch.
    pub started: SystemTime,
    /// The kernel half's maps, as they were counted last.
    pub maps: &'a [MapFill],
    /// Bytes of the ring that are not read yet.
    pub ring_bytes: u64,
    /// What it holds.
    pub ring_bound_bytes: u32,
    /// Records taken from the ring.
    pub ring_records: u64,
    /// What the agent holds.
    pub held: Held,
    /// The way behind the agent.
    pub evidence: Option<&'a EvidenceStatus>,
}

/// All metrics at one moment.
pub(super) fn measure(status: &Status, beside: &Beside<'_>) -> Snapshot {
    let mut snapshot = Snapshot::default();
    kernel::measure(&mut snapshot, status, beside);
    uses::measure(&mut snapshot, status);
    held::measure(&mut snapshot, &beside.held);
    if let Some(evidence) = beside.evidence {
        behind::measure(&mut snapshot, evidence, beside.now);
    }
    itself::measure(&mut snapshot, status, beside);
    snapshot
}

/// Each count under its reason.
fn by_reason(snapshot: &mut Snapshot, definition: &'static Definition, counts: &BTreeMap<String, u64>) {
    snapshot.begin(definition);
    for (reason, count) in counts {
        snapshot.set(definition, [reason], *count);
    }
}

#[cfg(test)]
mod tests;
