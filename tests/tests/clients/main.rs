//! What real clients do with credentials on the network, as a trace tells it: the SDKs of clouds, curl, OpenSSL, OpenSSH and a QUIC client, against servers in a network
//! namespace of the test's own.
//!
//! They are put under `target/clients` by `cargo xtask test`; without them nothing is tried here.

mod network;
mod parsers;
mod stories;
mod tls;
