//! A setting of the kernel.

use std::fs;

use claviger_sensor_common::REQUEST_SETTING;

use super::seen;
use crate::kernel::Labeller;

/// Reads one that every kernel has: reading and writing pass the same programs.
///
/// # Errors
/// Why it was not seen.
pub(super) fn setting_seen(labeller: &mut Labeller) -> Result<(), String> {
    seen(labeller, REQUEST_SETTING, || {
        fs::read("/proc/sys/kernel/ostype").map(drop)
    })
}
