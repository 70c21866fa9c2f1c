//! Why somebody is not enrolled, or nobody can be.

use jiff::Timestamp;

use crate::clock::to_the_second;
use crate::store::StoreError;

/// Why somebody is not enrolled, or nobody can be. Of a token only the reason is said: `claviger-sensor enrol` adds what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EnrolError {
    /// A file of the authority that is not usable.
    #[error(
        "{name} in the data directory is {what}; restore it, or remove ca.pem and ca.key to begin anew (every sensor must then enrol again)"
    )]
    Authority {
        /// The file.
        name: &'static str,
        /// What is wrong with it.
        what: &'static str,
    },
    /// A certificate could not be made.
    #[error("cannot make a {what}")]
    Certificate {
        /// What it was to be.
        what: &'static str,
        /// Why not.
        #[source]
        source: rcgen::Error,
    },
    /// A request that is not one.
    #[error("{what}")]
    Malformed {
        /// What is wrong with it.
        what: &'static str,
    },
    /// No random numbers are to be had.
    #[error("the system gives no random numbers")]
    Random(#[source] getrandom::Error),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A token that has ended.
    #[error("the join token expired at {}", to_the_second(*.at))]
    TokenExpired {
        /// When.
        at: Timestamp,
    },
    /// A token that was not made here, or has another secret.
    #[error("the join token is unknown to this detector")]
    TokenUnknown,
    /// A token that somebody used.
    #[error("the join token was used at {}", to_the_second(*.at))]
    TokenUsed {
        /// When.
        at: Timestamp,
    },
}
