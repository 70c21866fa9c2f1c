//! A connection to an address.

use std::net::{Ipv4Addr, UdpSocket};

use claviger_sensor_common::REQUEST_CONNECT;

use super::seen;
use crate::kernel::Labeller;

/// The discard service (RFC 863).
const PORT: u16 = 9;

/// Connects a socket to an address of the loopback device; of datagrams, so that no packet is sent.
///
/// # Errors
/// Why it was not seen.
pub(super) fn connection_seen(labeller: &mut Labeller) -> Result<(), String> {
    seen(labeller, REQUEST_CONNECT, || {
        let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
        // Whether there is a route is nothing that matters here.
        let _no_route = socket.connect((Ipv4Addr::LOCALHOST, PORT));
        Ok(())
    })
}
