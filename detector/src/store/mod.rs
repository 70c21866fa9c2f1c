//! Keeps evidence and what is known about it.
//!
//! Invariants:
//! - The evidence log ([`log`]) holds the signed bytes; they are never changed and never encoded anew. SQLite ([`db`]) holds what
//!   was derived from them, never a row per event.
//! - A batch is durable (fsync) before it is indexed. `progress` says up to where the log is indexed, and moves in the transaction
//!   that indexes: after a crash what lies behind it is indexed and detected again, and nothing twice.
//! - Neither secrets of tokens nor private keys are in the database or the log.
//! - Files of the data directory are the owner's alone (0600, directories 0700), and appear complete or not at all. Where others
//!   could change the directory or have its keys, nothing is made or served.
//! - A command that reads creates nothing.

pub mod db;
mod directory;
mod error;
mod exposed;
pub mod log;

pub use directory::{DataDir, DirectoryLock};
pub use error::StoreError;
