//! The sensor's user half: from the kernel's records to signed events at a detector.
//!
//! Rooms, in order of import: kernel, decode, network, credential, attribute, sign, spool, forward, enrol, agent, cli; shelf: config, clock, metrics, error, regular, own_limits
//!
//! A room imports only rooms before it and the shelf.

pub mod agent;
pub mod attribute;
pub mod cli;
pub mod clock;
pub mod config;
pub mod credential;
pub mod decode;
pub mod enrol;
mod error;
pub mod forward;
pub mod kernel;
pub mod metrics;
pub mod network;
mod own_limits;
mod regular;
pub mod sign;
pub mod spool;
