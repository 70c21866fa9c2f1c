//! QUIC's first packets (RFC 9000, 9001, 9369): whoever sees a client's first datagrams can derive their keys and read the ClientHello in them.

mod crypto;
mod frames;
mod header;

pub use crypto::Initials;

#[cfg(test)]
mod tests;
