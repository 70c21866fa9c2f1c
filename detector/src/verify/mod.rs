//! Turns what came over the wire into evidence, or says why it is none.
//!
//! Invariants:
//! - [`Verified`] is made here and nowhere else: its constructor is private to this room.
//! - A signature is checked over the bytes as they came; nothing is ever encoded anew for checking.
//! - All input is from outside. Every check is total: bounds first, no panic, an error that says what was expected.
//! - No input or output, no clock. The chain ([`chain`]) is a function of its state and a header.

pub mod chain;
mod envelope;
mod error;
mod keys;
mod verified;

#[cfg(test)]
pub(crate) mod testing;

pub use envelope::{MAX_BATCH_BYTES, MAX_BATCH_EVENTS, verify};
pub use error::VerifyError;
pub use keys::{KeyRing, SensorId};
pub use verified::{Header, SignedBatch, Verified};
