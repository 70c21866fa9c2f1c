//! Who may talk to the detector: its own certificate authority, join tokens, and what turns one into a sensor.
//!
//! Invariants:
//! - Private keys and token secrets are never logged, never in an error or a Debug output, never in the database: of a token only
//!   the SHA-256 of its secret is kept, keys lie in files of mode 0600.
//! - A token is burnt and its sensor created in one transaction, after the caller has proved that it holds both of its keys.
//! - A certificate's role and id stand in one URI (`claviger://sensor/UUID`, `claviger://operator/local`); a certificate without
//!   exactly one such URI has no role.
//! - Of a certificate request only the public key is used.

mod authority;
mod certificate;
mod error;
mod identity;
mod registrar;
mod role;
mod token;

pub use authority::{Authority, SENSOR_CERTIFICATE_DAYS};
pub use certificate::{CertificateFacts, facts};
pub use error::EnrolError;
pub use identity::{TlsIdentity, operator_identity, server_identity};
pub use registrar::enrol;
pub use role::Role;
pub use token::{DEFAULT_TTL, MadeToken, TokenState, make_token};
