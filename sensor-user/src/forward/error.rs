//! Why batches do not get to the detector at the moment.

use std::error::Error as _;
use std::io;

use thiserror::Error;
use tonic::{Code, Status};

use super::diagnosis;
use crate::config::DetectorAddress;
use crate::spool::SpoolError;

/// Why batches do not get to the detector at the moment.
#[derive(Debug, Error)]
pub enum ForwardError {
    /// The stream ended without a reason that the detector gave.
    #[error("the detector at {address} closed the connection")]
    Closed {
        /// Where.
        address: DetectorAddress,
    },
    /// Nothing accepts connections there.
    #[error(
        "cannot connect to the detector at {address}: {}",
        diagnosis::of_connect(source)
    )]
    Connect {
        /// Where.
        address: DetectorAddress,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The HTTP/2 connection could not be set up.
    #[error("cannot talk to the detector at {address}")]
    Http {
        /// Where.
        address: DetectorAddress,
        /// Why.
        #[source]
        source: tonic::transport::Error,
    },
    /// The detector took batches and answered nothing.
    #[error("the detector at {address} did not answer for {seconds} s")]
    NoAnswer {
        /// Where.
        address: DetectorAddress,
        /// How long.
        seconds: u64,
    },
    /// The detector does not want this sensor.
    #[error(
        "the detector at {address} refuses this sensor ({message}): enrol it again with `claviger-sensor enrol --force`"
    )]
    Refused {
        /// Where.
        address: DetectorAddress,
        /// What it said.
        message: String,
    },
    /// The spool could not be read.
    #[error("the spool cannot be read")]
    Spool(#[source] SpoolError),
    /// The detector cannot take batches now.
    #[error("the detector at {address} cannot take events now: {message}")]
    Status {
        /// Where.
        address: DetectorAddress,
        /// The gRPC code.
        code: Code,
        /// What it said.
        message: String,
    },
    /// Connecting took too long.
    #[error("the detector at {address} did not answer within {seconds} s")]
    TimedOut {
        /// Where.
        address: DetectorAddress,
        /// How long.
        seconds: u64,
    },
    /// The TLS handshake failed.
    #[error("no TLS connection with the detector at {address}: {reason}")]
    Tls {
        /// Where.
        address: DetectorAddress,
        /// Why, for a person.
        reason: String,
    },
}

impl ForwardError {
    /// A gRPC status as one of these.
    pub(super) fn from_status(address: &DetectorAddress, status: &Status) -> Self {
        let address = address.clone();
        if let Some(tls) = diagnosis::tls_error(status) {
            return Self::Tls {
                reason: diagnosis::of_tls(tls, &address),
                address,
            };
        }
        // Not what the detector said but what came of the connection.
        if status.source().is_some() {
            tracing::debug!(message = status.message(), "the stream ended");
            return Self::Closed { address };
        }
        match status.code() {
            Code::Unauthenticated | Code::PermissionDenied => Self::Refused {
                address,
                message: status.message().to_owned(),
            },
            code => Self::Status {
                address,
                code,
                message: status.message().to_owned(),
            },
        }
    }
}
