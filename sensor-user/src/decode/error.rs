//! Why bytes are no record.

/// What is wrong with a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// Shorter than what its kind needs.
    #[error("record of {got} bytes is too short: kind {kind} has {needed}")]
    TooShort {
        /// Its kind; 0 where even that is not there.
        kind: u32,
        /// Bytes there.
        got: usize,
        /// Bytes needed.
        needed: usize,
    },
    /// A kind that this version does not know.
    #[error("record of unknown kind {0}")]
    UnknownKind(u32),
    /// A field holds what it cannot hold.
    #[error("record with {field} = {value}")]
    OutOfRange {
        /// The field.
        field: &'static str,
        /// Its value.
        value: u32,
    },
}
