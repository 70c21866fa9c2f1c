//! Where events go: to the spool of a running sensor, or to the terminal of a trace.

use std::time::SystemTime;

use claviger_proto::v1::{Event, EventId, LossCount};

use super::events::gap;
use crate::{forward::Outbox, spool::Lost};

/// What came of a delivery.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Delivered {
    /// The ids that the events got, in their order; empty where this sink gives none, or could not keep them all.
    pub ids: Vec<EventId>,
    /// What was lost behind the agent since the delivery before. Already told in gaps.
    pub lost: Vec<LossCount>,
}

/// Takes events. What it cannot keep it counts itself, and tells with a later delivery.
pub trait Sink: Send {
    /// Takes events that belong together. May block on a disk.
    fn deliver(&mut self, events: Vec<Event>, losses: Vec<LossCount>) -> Delivered;

    /// What there is to say about the way behind it, for `status`; nothing where there is none.
    fn describe(&self) -> serde_json::Value {
        serde_json::Value::Null
    }
}

/// Seals events, and keeps them until the detector has them.
#[derive(Debug)]
pub struct Evidence {
    outbox: Outbox,
    /// Losses of earlier runs, told with the first delivery.
    before: Vec<Lost>,
}

impl Evidence {
    /// With what opening the outbox told of losses.
    #[must_use]
    pub fn new(outbox: Outbox, before: Vec<Lost>) -> Self {
        Self { outbox, before }
    }

    /// The outbox, to be ended.
    #[must_use]
    pub fn into_outbox(self) -> Outbox {
        self.outbox
    }
}

impl Sink for Evidence {
    fn deliver(&mut self, mut events: Vec<Event>, mut losses: Vec<LossCount>) -> Delivered {
        let count = events.len() as u64;
        let mut lost = std::mem::take(&mut self.before);
        lost.extend(self.outbox.take_lost());
        events.extend(lost.iter().map(|lost| gap(lost.gap())));
        let lost: Vec<LossCount> = lost.iter().map(Lost::loss_count).collect();
        losses.extend(lost.iter().cloned());
        // What the outbox cannot keep it counts and logs; which of the events those are it does not tell. Losses are told anew until they are
        // told in a batch that is kept.
        match self.outbox.submit(events, losses, SystemTime::now()) {
            Ok(submitted) if submitted.lost_events == 0 => {
                let ids = (submitted.first..submitted.first + count)
                    .map(|sequence| EventId {
                        sensor_id: self.outbox.sensor_id().to_string(),
                        boot_id: submitted.boot_id.to_string(),
                        sequence,
                    })
                    .collect();
                Delivered { ids, lost }
            }
            Ok(_) | Err(_) => Delivered::default(),
        }
    }

    fn describe(&self) -> serde_json::Value {
        let status = self.outbox.status();
        let forward = &status.forward;
        serde_json::json!({
            "sensor_id": status.sensor_id.to_string(),
            "boot_id": status.boot_id.to_string(),
            "last_sequence": status.last_sequence,
            "spool_bytes": status.spool.bytes,
            "connected": forward.connected,
            "waiting_batches": forward.waiting_batches,
            "acknowledged_sequence": forward.acknowledged_sequence,
            "rejected_batches": forward.rejected_batches,
            "last_error": forward.last_error,
            "clock_offset_ms": forward.clock_offset_ms,
            "certificate_not_after": forward.certificate_not_after,
        })
    }
}
