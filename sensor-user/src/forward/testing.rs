//! A collector for tests: real TLS with certificates of its own, and manners to order.

mod collector;
mod pki;

pub(crate) use collector::{Collector, Manners};
pub(crate) use pki::Authority;
