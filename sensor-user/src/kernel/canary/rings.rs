//! Calls of io_uring.

use std::io;

use claviger_sensor_common::REQUEST_RING_ENTERED;

use super::seen;
use crate::kernel::{Labeller, left_opens};

/// Enters a ring that is none: the end of the call is there to be seen whether or not this kernel lets anybody have a ring.
///
/// # Errors
/// Why it was not seen.
#[expect(
    unsafe_code,
    reason = "rustix has this call behind a feature, for a ring that is one"
)]
pub(super) fn enter_seen(labeller: &mut Labeller) -> Result<(), String> {
    seen(labeller, REQUEST_RING_ENTERED, || {
        // SAFETY: no descriptor is -1, so the kernel looks at nothing else of the call.
        let entered = unsafe { libc::syscall(libc::SYS_io_uring_enter, -1, 0, 0, 0, 0, 0) };
        none(entered, io::Error::last_os_error())
    })
}

/// Has the kernel half look through the opens that have no completion.
///
/// # Errors
/// Why that was not seen.
pub(super) fn look_seen(labeller: &mut Labeller) -> Result<(), String> {
    seen(labeller, REQUEST_RING_ENTERED, || {
        let (called, error) = left_opens::call();
        none(called, error)
    })
}

/// Without io_uring there is no ring whose end could be missed.
fn none(called: libc::c_long, error: io::Error) -> io::Result<()> {
    if called == -1
        && matches!(
            error.raw_os_error(),
            Some(libc::EBADF | libc::EPERM | libc::ENOSYS | libc::EINVAL)
        )
    {
        return Ok(());
    }
    Err(error)
}
