//! Why something is no evidence. All of these mean that the peer is at fault.

use super::SensorId;

/// Why an envelope was refused for good.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum VerifyError {
    /// A boot id that is no UUID.
    #[error("boot id is not a UUID in its usual text form")]
    BootId,
    /// Sequences that do not add up.
    #[error("batch says it holds events {first} to {last} but holds {events}")]
    Count {
        /// First sequence of the header.
        first: u64,
        /// Last sequence of the header.
        last: u64,
        /// Events in it.
        events: usize,
    },
    /// A batch of nothing.
    #[error("batch holds no event")]
    Empty,
    /// An event under another name than the batch gives it.
    #[error("event {position} of the batch has another id than the header gives it")]
    EventId {
        /// Its place in the batch, from 0.
        position: usize,
    },
    /// A key that belongs to another sensor than the one at the other end of the connection.
    #[error("signed with a key of sensor {owner}, but the connection is sensor {peer}'s")]
    KeyOfAnotherSensor {
        /// Whose key it is.
        owner: SensorId,
        /// Who sent it.
        peer: SensorId,
    },
    /// Too many events.
    #[error("batch holds {events} events; the most is {most}")]
    ManyEvents {
        /// How many.
        events: usize,
        /// How many may be.
        most: usize,
    },
    /// Another payload type.
    #[error("payload type is not application/vnd.claviger.batch.v1+protobuf")]
    PayloadType,
    /// A previous digest that is none.
    #[error("digest of the batch before has {length} bytes instead of 32")]
    PreviousDigest {
        /// How many bytes it has.
        length: usize,
    },
    /// No time of sealing.
    #[error("time of sealing is missing or no date")]
    SealedAt,
    /// A wrong signature.
    #[error("signature does not match")]
    Signature,
    /// None or several signatures.
    #[error("envelope has {count} signatures instead of one")]
    SignatureCount {
        /// How many.
        count: usize,
    },
    /// Too many bytes.
    #[error("batch has {bytes} bytes; the most is {most}")]
    TooLarge {
        /// How many.
        bytes: usize,
        /// How many may be.
        most: usize,
    },
    /// Bytes that are no batch.
    #[error("payload is not a batch")]
    Undecodable(#[source] prost::DecodeError),
    /// A key that nobody registered.
    #[error("signed with a key that no sensor has registered")]
    UnknownKey,
    /// A batch of another sensor.
    #[error("batch is of another sensor than the connection's, {peer}")]
    WrongSensor {
        /// Who sent it.
        peer: SensorId,
    },
}

impl VerifyError {
    /// The word that a rejection carries, as the contract lists them.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Signature | Self::UnknownKey => "signature",
            Self::KeyOfAnotherSensor { .. } | Self::WrongSensor { .. } => "wrong_sensor",
            Self::Count { .. } | Self::Empty | Self::EventId { .. } => "sequence",
            Self::BootId
            | Self::ManyEvents { .. }
            | Self::PayloadType
            | Self::PreviousDigest { .. }
            | Self::SealedAt
            | Self::SignatureCount { .. }
            | Self::TooLarge { .. }
            | Self::Undecodable(_) => "malformed",
        }
    }
}
