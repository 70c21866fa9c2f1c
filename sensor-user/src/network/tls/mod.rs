//! What a client says in clear as a TLS session begins.
//!
//! Own parsers, for what is looked at is looked at in part: cut where the kernel half stopped to copy, and of clients that mean to confuse.

mod hello;
mod ja4;
mod name;
mod reader;

pub use hello::{ClientHello, is_grease};
pub use ja4::{Transport, ja4};
pub use name::{ServerName, host};
pub use reader::{HelloReader, MESSAGE_MAX, Progress, message};

#[cfg(test)]
mod tests;
