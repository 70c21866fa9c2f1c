//! Calls of io_uring.

use std::io;

use claviger_sensor_common::REQUEST_RING_ENTERED;

use super::seen;
use crate::kernel::Labeller;

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
        let error = io::Error::last_os_error();
        // Without io_uring there is no ring whose end could be missed.
        if entered == -1
            && matches!(
                error.raw_os_error(),
                Some(libc::EBADF | libc::EPERM | libc::ENOSYS)
            )
        {
            return Ok(());
        }
        Err(error)
    })
}
