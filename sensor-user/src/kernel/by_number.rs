//! Opening a file by its numbers, where no path leads to it any more, or none that is known.

use std::os::fd::{AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd};

use claviger_sensor_common::ObjectKey;
use rustix::io::Errno;

/// include/linux/exportfs.h: a handle that is inode and generation. ext4 and xfs, among others, find a file by it, whoever made it.
const FILEID_INO32_GEN: libc::c_int = 1;

#[repr(C)]
struct Handle {
    /// Of what stands behind `kind`.
    bytes: libc::c_uint,
    kind: libc::c_int,
    inode: u32,
    generation: u32,
}

/// Names a file on the file system of `mount` without opening it.
///
/// # Errors
/// What the kernel said: `ESTALE` where it is gone, or the file system finds none by such numbers (tmpfs, btrfs, overlayfs).
#[expect(unsafe_code, reason = "rustix has no open_by_handle_at")]
pub fn hold_by_number(mount: BorrowedFd<'_>, object: ObjectKey) -> Result<OwnedFd, Errno> {
    let inode = u32::try_from(object.inode).map_err(|_| Errno::STALE)?;
    let mut handle = Handle {
        bytes: 8,
        kind: FILEID_INO32_GEN,
        inode,
        generation: object.generation,
    };
    let flags = libc::O_PATH | libc::O_CLOEXEC;
    // SAFETY: the handle is as long as it says, and outlives the call, which keeps no pointer to it.
    let opened = unsafe {
        libc::syscall(
            libc::SYS_open_by_handle_at,
            mount.as_raw_fd(),
            &raw mut handle,
            flags,
        )
    };
    let Ok(descriptor @ 0..) = i32::try_from(opened) else {
        let errno = std::io::Error::last_os_error().raw_os_error();
        return Err(Errno::from_raw_os_error(errno.unwrap_or_default()));
    };
    // SAFETY: a descriptor that the kernel has just made, which nobody else has.
    Ok(unsafe { OwnedFd::from_raw_fd(descriptor) })
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd as _;

    use super::*;

    #[test]
    fn numbers_that_no_file_has_name_none() {
        let directory = tempfile::tempdir().expect("a directory");
        let mount = std::fs::File::open(directory.path()).expect("opens");
        for inode in [0, u64::from(u32::MAX), u64::MAX] {
            let object = ObjectKey {
                inode,
                generation: 7,
                ..ObjectKey::default()
            };
            assert!(hold_by_number(mount.as_fd(), object).is_err(), "{inode}");
        }
    }
}
