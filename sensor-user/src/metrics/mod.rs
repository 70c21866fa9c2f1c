//! Metrics: what a metric is, what they were at one moment, how that is written as OpenMetrics text, and who may read it by HTTP. Which metrics
//! there are is the matter of the room that owns the numbers.
//!
//! - Nothing is counted here: a [`Snapshot`] is made by whoever owns the accounts, whole, and replaces the one before. Only the listener counts
//!   what it alone knows, its own connections.
//! - Every label has a closed list of values ([`Label`]). What is not in it becomes [`OTHER`], so neither a path nor anything else from
//!   outside can get into a label, and the number of series has a bound.
//! - The listener has a thread of its own, serves [`CONNECTIONS_MAX`] connections at most, each for ten seconds at most, and reads nothing
//!   but the head of a request.
//!
//! `docs/metrics.md` is written from the definitions.

mod counts;
mod definition;
mod document;
mod listener;
mod published;
mod request;
mod snapshot;
mod text;

pub use counts::LISTENER_METRICS;
pub use definition::{Definition, Label, OTHER, Type, Unit};
pub use document::document;
pub use listener::{CONNECTIONS_MAX, Listener, ListenerError};
pub use published::{Published, Reading};
pub use snapshot::{Number, Snapshot};
pub use text::text;
