//! Takes what sensors send, and lets operators watch: gRPC over mutual TLS.
//!
//! Invariants:
//! - A batch's way is verify, append, fsync, index and detect, commit, receipt. No step is answered for before it is done; when one
//!   fails nothing of the group is kept, and the sensor sends it again.
//! - One thread writes (`ingest`); all that come at the same time share one fsync and one transaction.
//! - Who a caller is comes from its TLS certificate and nothing else.
//! - Every queue is bounded; each bound is in the docs of the file that has it. A full queue makes the sender wait, a slow watcher
//!   is told how much it missed.

mod accept;
mod clock_watch;
mod collector;
mod enrolment;
mod error;
mod failures;
mod findings;
mod hub;
mod ingest;
mod opening;
mod peer;
mod pipeline;
pub mod serve;
mod status;
mod stopping;
mod strangers;
mod tls;

pub use error::ServeError;
use ingest::Ingest;
