//! A call of `keyctl`.

use claviger_sensor_common::REQUEST_KEY;

use super::seen;
use crate::kernel::Labeller;

/// Asks for the keyring of its own thread, which has none: nothing is made and nothing is read.
///
/// # Errors
/// Why it was not seen.
#[expect(unsafe_code, reason = "rustix has no keyctl")]
pub(super) fn key_call_seen(labeller: &mut Labeller) -> Result<(), String> {
    const KEYCTL_GET_KEYRING_ID: libc::c_int = 0;
    const KEY_SPEC_THREAD_KEYRING: libc::c_int = -1;
    seen(labeller, REQUEST_KEY, || {
        // SAFETY: the call takes three numbers and no pointer. That it finds nothing is as good.
        let _none = unsafe {
            libc::syscall(
                libc::SYS_keyctl,
                KEYCTL_GET_KEYRING_ID,
                KEY_SPEC_THREAD_KEYRING,
                0,
            )
        };
        Ok(())
    })
}
