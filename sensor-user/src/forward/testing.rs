//! A detector for tests: real TLS with certificates of its own, and manners to order.

mod collector;
mod enroller;
mod pki;
mod server;

pub(crate) use collector::{Collector, Manners};
pub(crate) use enroller::Enroller;
pub(crate) use pki::Authority;
