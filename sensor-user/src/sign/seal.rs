//! From events to a signed batch.

use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;
use claviger_proto::envelope::{PAYLOAD_TYPE, Sha256Digest, batch_digest, pre_authentication_encoding};
use claviger_proto::v1::{Batch, Envelope, Event, EventId, LossCount, Signature};
use prost::Message as _;
use thiserror::Error;

use super::{BootId, ChainState, Identity};

/// Most bytes of an envelope: what fits into one gRPC message of 4 MiB with its frame.
pub const MAX_ENVELOPE_BYTES: usize = (4 << 20) - (4 << 10);

/// Most events in a batch.
pub const MAX_BATCH_EVENTS: usize = 10_000;

/// A signed batch, ready to be kept and sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealed {
    /// The encoded [`Envelope`].
    pub envelope: Bytes,
    /// The boot of its events.
    pub boot_id: BootId,
    /// Sequence of its first event.
    pub first_sequence: u64,
    /// Sequence of its last event.
    pub last_sequence: u64,
    /// SHA-256 of the payload.
    pub digest: Sha256Digest,
    /// SHA-256 of the payload of the batch before it.
    pub previous_digest: Sha256Digest,
    /// When it was sealed.
    pub sealed_at: SystemTime,
}

impl Sealed {
    /// How many events it holds.
    #[must_use]
    pub fn events(&self) -> u64 {
        self.last_sequence - self.first_sequence + 1
    }
}

/// Why events cannot be sealed into one batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum SealError {
    /// A batch holds at least one event.
    #[error("a batch without events cannot be sealed")]
    Empty,
    /// The batch is larger than a collector takes.
    #[error("a batch of {events} events and {bytes} bytes is larger than a collector takes")]
    TooLarge {
        /// How many events.
        events: usize,
        /// How many bytes.
        bytes: usize,
    },
}

/// Seals events into batches, one after the other.
#[derive(Debug)]
pub struct Sealer {
    identity: Arc<Identity>,
    chain: ChainState,
}

impl Sealer {
    /// Goes on from `chain`.
    #[must_use]
    pub fn new(identity: Arc<Identity>, chain: ChainState) -> Self {
        Self { identity, chain }
    }

    /// Where the chain stands.
    #[must_use]
    pub fn chain(&self) -> ChainState {
        self.chain
    }

    /// Seals events into the next batch and gives each its id. The chain stays where it is until [`advance`](Self::advance).
    ///
    /// # Errors
    /// Where there are no events, or more than fit into one batch; the events then come back.
    pub fn seal(
        &self,
        mut events: Vec<Event>,
        losses: Vec<LossCount>,
        now: SystemTime,
    ) -> Result<Sealed, (SealError, Vec<Event>)> {
        if events.is_empty() {
            return Err((SealError::Empty, events));
        }
        if events.len() > MAX_BATCH_EVENTS {
            return Err((
                SealError::TooLarge {
                    events: events.len(),
                    bytes: 0,
                },
                events,
            ));
        }
        let ChainState {
            boot_id,
            next_sequence: first_sequence,
            previous_digest,
        } = self.chain;
        let sensor_id = self.identity.sensor_id().to_string();
        let boot_text = boot_id.to_string();
        let mut last_sequence = first_sequence;
        for (sequence, event) in (first_sequence..).zip(&mut events) {
            event.id = Some(EventId {
                sensor_id: sensor_id.clone(),
                boot_id: boot_text.clone(),
                sequence,
            });
            last_sequence = sequence;
        }
        let batch = Batch {
            sensor_id,
            boot_id: boot_text,
            first_sequence,
            last_sequence,
            previous_batch_sha256: previous_digest.to_vec(),
            sealed_at: Some(now.into()),
            losses,
            events,
        };
        let payload = batch.encode_to_vec();
        let digest = batch_digest(&payload);
        let signature = self
            .identity
            .sign(&pre_authentication_encoding(PAYLOAD_TYPE, &payload));
        let envelope = Envelope {
            payload,
            payload_type: PAYLOAD_TYPE.to_owned(),
            signatures: vec![Signature {
                sig: signature.to_vec(),
                key_id: self.identity.key_id(),
            }],
        };
        let bytes = envelope.encoded_len();
        if bytes > MAX_ENVELOPE_BYTES {
            return Err((
                SealError::TooLarge {
                    events: batch.events.len(),
                    bytes,
                },
                batch.events,
            ));
        }
        let envelope = Bytes::from(envelope.encode_to_vec());
        Ok(Sealed {
            envelope,
            boot_id,
            first_sequence,
            last_sequence,
            digest,
            previous_digest,
            sealed_at: now,
        })
    }

    /// Moves the chain on: the batch was kept.
    pub fn advance(&mut self, sealed: &Sealed) {
        self.chain = ChainState::after(sealed.boot_id, sealed.last_sequence, sealed.digest);
    }
}

#[cfg(test)]
mod tests;
