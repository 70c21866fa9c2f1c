//! What the listener knows of itself.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use super::{CONNECTIONS_MAX, Definition, Snapshot, Type, Unit};

/// The metrics of the listener. They are taken when they are read; all others are those of the newest snapshot.
pub static LISTENER_METRICS: [&Definition; 5] = [&AGE, &CONNECTIONS, &CONNECTIONS_BOUND, &ACCEPTED, &REFUSED];

static AGE: Definition = Definition {
    name: "claviger_sensor_snapshot_age",
    kind: Type::Gauge,
    unit: Some(Unit::Seconds),
    labels: &[],
    help: "How long ago the agent published the numbers that all other metrics show; it does so every second.",
    advice: "Above 10: the agent hangs, on a disk or for want of CPU, and all other metrics are as old as this. See the log and the load of the host.",
};

static CONNECTIONS: Definition = Definition {
    name: "claviger_sensor_metrics_connections",
    kind: Type::Gauge,
    unit: None,
    labels: &[],
    help: "Connections to the listener of the metrics that are open, this one included.",
    advice: "Near its bound: somebody holds connections open. Nothing but these metrics suffers; find out who connects.",
};

static CONNECTIONS_BOUND: Definition = Definition {
    name: "claviger_sensor_metrics_connections_bound",
    kind: Type::Gauge,
    unit: None,
    labels: &[],
    help: "Connections to the listener of the metrics at which a further one is closed at once.",
    advice: "It is fixed.",
};

static ACCEPTED: Definition = Definition {
    name: "claviger_sensor_metrics_connections_accepted",
    kind: Type::Counter,
    unit: None,
    labels: &[],
    help: "Connections to the listener of the metrics that were served.",
    advice: "Faster than it is scraped: somebody else reads the metrics.",
};

static REFUSED: Definition = Definition {
    name: "claviger_sensor_metrics_connections_refused",
    kind: Type::Counter,
    unit: None,
    labels: &[],
    help: "Connections to the listener of the metrics that were closed unserved, because as many as are allowed were open.",
    advice: "Scrapes may be missing; find out who connects.",
};

/// The listener's counts.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) open: AtomicU64,
    pub(super) accepted: AtomicU64,
    pub(super) refused: AtomicU64,
}

impl Counts {
    /// As metrics, with the age of the snapshot beside which they are shown.
    pub(super) fn measure(&self, age: Duration) -> Snapshot {
        let mut snapshot = Snapshot::default();
        snapshot.set(&AGE, [], age.as_secs_f64());
        snapshot.set(&CONNECTIONS, [], self.open.load(Ordering::Relaxed));
        snapshot.set(&CONNECTIONS_BOUND, [], CONNECTIONS_MAX);
        snapshot.set(&ACCEPTED, [], self.accepted.load(Ordering::Relaxed));
        snapshot.set(&REFUSED, [], self.refused.load(Ordering::Relaxed));
        snapshot
    }
}
