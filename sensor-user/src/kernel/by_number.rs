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
    use std::{
        ffi::CString,
        fs::{self, File},
        os::{fd::AsFd as _, unix::fs::MetadataExt as _},
        path::Path,
    };

    use super::*;

    /// The numbers of a file, as its file system puts them into a handle; nothing where its handles are of another kind.
    #[expect(unsafe_code, reason = "rustix has no name_to_handle_at")]
    fn numbers(path: &Path) -> Option<ObjectKey> {
        let path = CString::new(path.to_str()?).ok()?;
        let mut handle = Handle {
            bytes: 8,
            kind: 0,
            inode: 0,
            generation: 0,
        };
        let mut mount = 0;
        // SAFETY: the handle is as long as it says, and everything outlives the call.
        let result = unsafe {
            libc::syscall(
                libc::SYS_name_to_handle_at,
                libc::AT_FDCWD,
                path.as_ptr(),
                &raw mut handle,
                &raw mut mount,
                0,
            )
        };
        (result == 0 && handle.kind == FILEID_INO32_GEN).then_some(ObjectKey {
            inode: handle.inode.into(),
            generation: handle.generation,
            ..ObjectKey::default()
        })
    }

    #[test]
    fn a_file_is_found_by_its_own_numbers_alone() {
        // On a disk, for a file system in memory has handles of another kind.
        let directory = tempfile::tempdir_in("/var/tmp").expect("a directory");
        let path = directory.path().join("file");
        fs::write(&path, "x").expect("writes");
        let mount = File::open(directory.path()).expect("opens");
        let of = |object| hold_by_number(mount.as_fd(), object).map(File::from);
        let Some(own) = numbers(&path) else {
            let inode = fs::metadata(&path).expect("there").ino();
            let object = ObjectKey {
                inode,
                ..ObjectKey::default()
            };
            assert!(of(object).is_err(), "handles of another kind name nothing");
            return;
        };
        match of(own) {
            Ok(found) => assert_eq!(found.metadata().expect("open").ino(), own.inode),
            // Who may not open by handle.
            Err(errno) => return assert_eq!(errno, Errno::PERM),
        }
        let other = ObjectKey {
            generation: own.generation.wrapping_add(1),
            ..own
        };
        assert_eq!(of(other).expect_err("another file"), Errno::STALE);
    }
}
