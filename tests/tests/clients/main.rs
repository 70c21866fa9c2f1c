//! What real clients do with credentials on the network, as a trace tells it: the SDKs of clouds, aws, kubectl, git, skopeo, curl, OpenSSL, OpenSSH and a QUIC client,
//! against servers in a network namespace of the test's own.
//!
//! They are put under `target/clients` by `cargo xtask test`; without them nothing is tried here.

mod browsers;
mod capture;
mod clusters;
mod keys;
mod network;
mod openssh;
mod parsers;
mod quic;
mod registries;
mod stories;
mod tls;
mod tools;
mod translated;
mod tshark;
mod words;
