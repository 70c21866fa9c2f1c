//! From the spool to the detector, for as long as the sensor runs.
//!
//! - Batches are sent in the spool's order; what has no receipt is sent again after a reconnect. A receipt stands for its batch and
//!   all before it.
//! - A batch that the detector rejects for good is counted as lost, logged, and the queue goes on.
//! - At most [`MAX_IN_FLIGHT`] batches or [`MAX_IN_FLIGHT_BYTES`] are without an answer, and only these are in memory.
//! - TLS 1.3 with the enrolled certificate; the detector's must be from the enrolled authority and for the configured host.
//! - The detector being away is said once, with the reason, and its being back once. Nothing waits for it but the spool.
//! - The disk is touched on threads that may block, never on the runtime's own.

mod backoff;
mod clock_offset;
mod diagnosis;
mod dial;
mod earlier_identities;
mod error;
mod forwarder;
mod opening;
mod outbox;
mod session;
mod shared_spool;
mod state;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
mod tls;
mod watched;
mod window;

pub use dial::dial;
pub use error::ForwardError;
pub use forwarder::Timings;
pub use outbox::{Outbox, OutboxError, OutboxStatus, Submitted};
pub use state::ForwardState;
pub use tls::{TlsError, client_config, tls_provider};
pub use window::{MAX_IN_FLIGHT, MAX_IN_FLIGHT_BYTES};
