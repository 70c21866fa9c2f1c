//! A connection to a socket.

use std::os::{
    linux::net::SocketAddrExt as _,
    unix::net::{SocketAddr, UnixListener, UnixStream},
};

use claviger_sensor_common::REQUEST_SOCKET;

use super::seen;
use crate::kernel::Labeller;

/// Connects to a socket that this process has made for it, in the abstract namespace.
///
/// # Errors
/// Why it was not seen.
pub(super) fn connection_seen(labeller: &mut Labeller) -> Result<(), String> {
    seen(labeller, REQUEST_SOCKET, || {
        let name = format!("claviger-sensor-{}", std::process::id());
        let address = SocketAddr::from_abstract_name(name)?;
        let _listener = UnixListener::bind_addr(&address)?;
        UnixStream::connect_addr(&address).map(drop)
    })
}
