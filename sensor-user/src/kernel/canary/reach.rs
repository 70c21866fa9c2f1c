//! Reaching for a process.

use std::io;

use claviger_sensor_common::REQUEST_REACHED;

use super::seen;
use crate::kernel::Labeller;

/// Reads a byte of its own memory as if it were another's.
///
/// # Errors
/// Why it was not seen.
#[expect(unsafe_code, reason = "rustix has no process_vm_readv")]
pub(super) fn reach_seen(labeller: &mut Labeller) -> Result<(), String> {
    seen(labeller, REQUEST_REACHED, || {
        let from = [1u8];
        let mut to = [0u8];
        let local = libc::iovec {
            iov_base: to.as_mut_ptr().cast(),
            iov_len: to.len(),
        };
        let remote = libc::iovec {
            iov_base: from.as_ptr().cast_mut().cast(),
            iov_len: from.len(),
        };
        let own = rustix::process::getpid().as_raw_nonzero().get();
        // SAFETY: both vectors describe one byte each, which live until the call has returned.
        let read = unsafe { libc::process_vm_readv(own, &raw const local, 1, &raw const remote, 1, 0) };
        if read == 1 {
            Ok(())
        } else {
            Err(io::Error::last_os_error())
        }
    })
}
