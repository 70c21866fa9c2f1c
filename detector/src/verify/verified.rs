//! What passed all checks.

use claviger_proto::envelope::Sha256Digest;
use claviger_proto::v1::Event;
use jiff::Timestamp;
use uuid::Uuid;

use super::SensorId;

/// A value that came in a batch whose signature, owner and shape were checked. Only this room can make one.
#[derive(Clone, Debug, PartialEq)]
pub struct Verified<T>(T);

impl<T> Verified<T> {
    pub(super) fn new(value: T) -> Self {
        Self(value)
    }

    /// The value itself, for whoever only passes it on.
    pub fn into_inner(self) -> T {
        self.0
    }
}

impl<T> std::ops::Deref for Verified<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

/// Where a batch stands: whose it is, which events it holds, and what stood before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// Whose it is.
    pub sensor: SensorId,
    /// The boot that its events are of.
    pub boot: Uuid,
    /// Sequence of the first event.
    pub first_sequence: u64,
    /// Sequence of the last event.
    pub last_sequence: u64,
    /// Digest of the batch before it.
    pub previous: Sha256Digest,
    /// Digest of this one.
    pub digest: Sha256Digest,
    /// When it was sealed, by the sensor's clock.
    pub sealed_at: Timestamp,
}

/// A batch with the envelope that it came in.
#[derive(Clone, Debug, PartialEq)]
pub struct SignedBatch {
    /// Where it stands.
    pub header: Header,
    /// Its events, in order, with their ids.
    pub events: Vec<Event>,
    /// The encoded envelope around the payload bytes exactly as they came.
    pub envelope: Vec<u8>,
}

impl Verified<SignedBatch> {
    /// Takes it apart: each event of a verified batch is itself verified.
    #[must_use]
    pub fn split(self) -> (Header, Vec<u8>, Vec<Verified<Event>>) {
        let SignedBatch {
            header,
            envelope,
            events,
        } = self.0;
        (header, envelope, events.into_iter().map(Verified).collect())
    }
}
