//! Directories listed.

use std::fs;

use claviger_sensor_common::REQUEST_LISTED;

use super::seen;
use crate::kernel::Labeller;

/// Lists its own threads.
///
/// # Errors
/// Why it was not seen.
pub(super) fn listing_seen(labeller: &mut Labeller) -> Result<(), String> {
    seen(labeller, REQUEST_LISTED, || {
        fs::read_dir("/proc/self/task")?.next().transpose().map(drop)
    })
}
