//! The detector: takes signed evidence from sensors, checks it, keeps it, and says what is unusual in it.
//!
//! The way of the data is `receive ─ verify ─ store ─ detect ─ show`. What may import what is another order:
//!
//! Rooms, in order of import: verify, store, detect, enrol, receive, show, cli; shelf: config, clock, regular
//!
//! Invariants:
//! - Nothing unverified reaches `detect`: it takes [`verify::Verified`], which only `verify` can make.
//! - A receipt is sent only after the evidence is on durable storage (fsync) *and* has been through detection.
//! - `verify` and `detect` do no input or output and know no clock: time is handed to them.
//! - `receive` and `cli` are the only rooms that know gRPC; `show` only turns values into text.

pub mod cli;
pub mod clock;
pub mod config;
pub mod detect;
pub mod enrol;
pub mod receive;
pub mod regular;
pub mod show;
pub mod store;
pub mod verify;

pub use receive::serve;
