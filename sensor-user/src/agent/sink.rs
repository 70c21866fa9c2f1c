//! Where events go: to the spool of a running sensor, or to the terminal of a trace.

use claviger_proto::v1::{Event, EventId, LossCount};

/// What came of a delivery.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Delivered {
    /// The ids that the events got, in their order; empty where this sink gives none or kept nothing.
    pub ids: Vec<EventId>,
    /// Losses that this delivery brought with it, oldest first, to be told in gaps.
    pub lost: Vec<claviger_proto::v1::Gap>,
}

/// Why events could not be delivered.
#[derive(Debug, thiserror::Error)]
#[error("delivering events")]
pub struct SinkError(#[from] Box<dyn std::error::Error + Send + Sync>);

/// Takes events.
pub trait Sink: Send {
    /// Takes events that belong together. May block on a disk.
    ///
    /// # Errors
    /// [`SinkError`]: the events are lost, and the caller counts them.
    fn deliver(&mut self, events: Vec<Event>, losses: Vec<LossCount>) -> Result<Delivered, SinkError>;

    /// What there is to say about the way behind it, for `status`; nothing where there is none.
    fn describe(&self) -> serde_json::Value {
        serde_json::Value::Null
    }
}
