//! x

pub mod clock;
pub mod config;
