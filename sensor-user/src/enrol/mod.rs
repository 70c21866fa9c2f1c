//! Becoming known to a detector: from a join token to an identity.
//!
//! - Both keys are made on this host and never leave it.
//! - The detector is trusted by the token alone: only a chain with the authority whose hash is in the token is accepted.
//! - The token's secret is wiped after use and appears in no `Debug` form, error or log.

mod join;
mod pin;
mod token;

#[cfg(test)]
mod tests;

pub use join::{EnrolError, join};
pub use token::{InvalidToken, JoinToken};
