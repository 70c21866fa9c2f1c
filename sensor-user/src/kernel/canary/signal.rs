//! A signal to the sensor.

use std::io;

use claviger_sensor_common::REQUEST_SIGNAL;
use rustix::process::{Signal, getpid, kill_process};

use super::seen;
use crate::kernel::Labeller;

/// Sends its own process a signal that is ignored wherever nobody asked for it.
///
/// # Errors
/// Why it was not seen.
pub(super) fn signal_seen(labeller: &mut Labeller) -> Result<(), String> {
    seen(labeller, REQUEST_SIGNAL, || {
        kill_process(getpid(), Signal::URG).map_err(io::Error::from)
    })
}
