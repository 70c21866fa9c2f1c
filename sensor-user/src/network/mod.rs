//! What processes say on the network, as far as it says whose credentials they use and where: pure readers of bytes that others have written.
//!
//! - [`tls`]: the first message of a TLS session; [`quic`]: the same within QUIC
//! - [`http`]: requests and answers in clear
//! - [`dns`]: which addresses a name has; [`names`]: which name an address had last
//! - [`connections`]: packets, put together to what is said with them
//!
//! Nothing here is kept longer than it takes to read it, and nothing but what is named leaves: of a message with a secret in it, not the secret.

pub mod connections;
mod cursor;
pub mod dns;
pub mod http;
pub mod names;
pub mod quic;
pub mod tls;
