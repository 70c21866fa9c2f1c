//! Opens, allowed and refused.

use std::{fs::File, os::unix::fs::MetadataExt as _};

use claviger_sensor_common::REQUEST_DENIED;

use super::seen;
use crate::{
    error::in_one_line,
    kernel::{Labeller, Purpose},
};

/// Opens a file and compares what the hook read of it with what the kernel tells user space. procfs shows its inode numbers as they are.
///
/// # Errors
/// What is wrong with the hook, in words.
pub(super) fn open_seen(labeller: &mut Labeller) -> Result<(), String> {
    let (opened, object) = labeller
        .ask(Purpose::Identify, || File::open("/proc/self/status"))
        .map_err(|error| in_one_line(&error))?;
    let object = object.ok_or(
        "attached but never ran (or the sensor is in a pid namespace of its own: give it the host's)",
    )?;
    let expected = opened
        .and_then(|file| file.metadata())
        .map_err(|error| error.to_string())?
        .ino();
    if object.inode == expected {
        Ok(())
    } else {
        Err(format!(
            "it read inode {} where the kernel says {expected}",
            object.inode
        ))
    }
}

/// An open that is refused even to root: a constant of sysctl, for writing.
///
/// # Errors
/// Why it was not seen.
pub(super) fn refusal_seen(labeller: &mut Labeller) -> Result<(), String> {
    seen(labeller, REQUEST_DENIED, || {
        // Refused is what it shall be.
        let _refused = File::options().write(true).open("/proc/sys/kernel/ostype");
        Ok(())
    })
}
