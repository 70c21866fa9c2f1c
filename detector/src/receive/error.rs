//! Why `serve` does not begin.

use std::io;
use std::net::SocketAddr;

use crate::enrol::EnrolError;
use crate::store::StoreError;

/// Why `serve` does not begin, or ended.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// The address is taken.
    #[error("{address} is in use; stop what listens there, or choose another address with --listen")]
    AddressInUse {
        /// The address.
        address: SocketAddr,
    },
    /// The address cannot be had.
    #[error("cannot listen on {address}")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// No certificates.
    #[error(transparent)]
    Enrol(#[from] EnrolError),
    /// The reflection service could not be made.
    #[error("cannot offer the reflection service")]
    Reflection(#[source] tonic_reflection::server::Error),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// No thread is to be had.
    #[error("cannot start the ingest thread")]
    Thread(#[source] io::Error),
    /// TLS could not be set up.
    #[error("cannot set up TLS")]
    Tls(#[source] rustls::Error),
    /// The verifier of client certificates could not be set up.
    #[error("cannot set up the check of client certificates")]
    Verifier(#[source] rustls::server::VerifierBuilderError),
}
