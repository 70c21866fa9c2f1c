//! Changes of files.

use claviger_sensor_common::REQUEST_CHANGED;
use rustix::fs::{MemfdFlags, Mode, fchmod, memfd_create};

use super::seen;
use crate::kernel::Labeller;

/// Sets the mode of a file that only it has.
///
/// # Errors
/// Why it was not seen.
pub(super) fn change_seen(labeller: &mut Labeller) -> Result<(), String> {
    let file = memfd_create("change", MemfdFlags::CLOEXEC).map_err(|error| error.to_string())?;
    seen(labeller, REQUEST_CHANGED, || Ok(fchmod(&file, Mode::RUSR)?))
}
