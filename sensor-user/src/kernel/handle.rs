//! Handles: by what a file system finds a file, where no path leads to it any more, or none that is known. One stands for its file for as long as that is there,
//! whatever becomes of its names and whoever is started anew.

use std::os::fd::{AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd};

use claviger_sensor_common::ObjectKey;
use rustix::io::Errno;

/// include/linux/exportfs.h: a handle that is inode and generation. ext4 and xfs, among others, find a file by it, whoever made it.
const FILEID_INO32_GEN: libc::c_int = 1;

/// include/linux/exportfs.h: a handle that is the 64 bits of a number, by which a cgroup is found.
const FILEID_KERNFS: libc::c_int = 0xfe;

/// include/linux/exportfs.h: MAX_HANDLE_SZ
const BYTES_MAX: usize = 128;
const ROOM: libc::c_uint = 128;
const _: () = assert!(ROOM as usize == BYTES_MAX);

/// A handle as the kernel takes and gives it.
#[repr(C)]
struct Raw {
    /// Of what stands behind `kind`.
    bytes: libc::c_uint,
    kind: libc::c_int,
    content: [u8; BYTES_MAX],
}

/// By what one file system finds one file.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct FileHandle {
    kind: i32,
    content: Box<[u8]>,
}

impl FileHandle {
    /// One that was kept; nothing where it is longer than any is (128 bytes).
    #[must_use]
    pub fn new(kind: i32, content: &[u8]) -> Option<Self> {
        (content.len() <= BYTES_MAX).then(|| Self {
            kind,
            content: content.into(),
        })
    }

    /// That of an object where its file system finds one by inode and generation; nothing where the number is too large for that.
    #[must_use]
    pub fn of_number(object: ObjectKey) -> Option<Self> {
        let inode = u32::try_from(object.inode).ok()?;
        let content = [inode.to_ne_bytes(), object.generation.to_ne_bytes()].concat();
        Self::new(FILEID_INO32_GEN, &content)
    }

    /// That of a cgroup of v2 by its id, from Linux 5.5 on.
    #[must_use]
    pub fn of_cgroup(id: u64) -> Self {
        Self {
            kind: FILEID_KERNFS,
            content: id.to_ne_bytes().into(),
        }
    }

    /// That of a file which is open or held.
    ///
    /// # Errors
    /// What the kernel said: `EOPNOTSUPP` where the file system has none (most overlays).
    #[expect(unsafe_code, reason = "rustix has no name_to_handle_at")]
    pub fn of(file: BorrowedFd<'_>) -> Result<Self, Errno> {
        let mut raw = Raw {
            bytes: ROOM,
            kind: 0,
            content: [0; BYTES_MAX],
        };
        let mut mount: libc::c_int = 0;
        // SAFETY: the handle is as long as it says, the path is a string, and everything outlives the call, which keeps no pointer.
        let result = unsafe {
            libc::syscall(
                libc::SYS_name_to_handle_at,
                file.as_raw_fd(),
                c"".as_ptr(),
                &raw mut raw,
                &raw mut mount,
                libc::AT_EMPTY_PATH,
            )
        };
        if result != 0 {
            return Err(last_error());
        }
        let content = usize::try_from(raw.bytes)
            .ok()
            .and_then(|bytes| raw.content.get(..bytes));
        content
            .and_then(|content| Self::new(raw.kind, content))
            .ok_or(Errno::OVERFLOW)
    }

    /// Which kind it is, in its file system's own numbers.
    #[must_use]
    pub fn kind(&self) -> i32 {
        self.kind
    }

    /// What it holds; 128 bytes at most.
    #[must_use]
    pub fn content(&self) -> &[u8] {
        &self.content
    }

    /// Names its file on the file system of `mount` without opening it.
    ///
    /// # Errors
    /// What the kernel said: `ESTALE` where it is gone, or the file system finds none by such a handle.
    #[expect(unsafe_code, reason = "rustix has no open_by_handle_at")]
    pub fn hold(&self, mount: BorrowedFd<'_>) -> Result<OwnedFd, Errno> {
        let mut raw = Raw {
            bytes: libc::c_uint::try_from(self.content.len()).map_err(|_| Errno::OVERFLOW)?,
            kind: self.kind,
            content: [0; BYTES_MAX],
        };
        let room = raw.content.get_mut(..self.content.len());
        room.ok_or(Errno::OVERFLOW)?.copy_from_slice(&self.content);
        let flags = libc::O_PATH | libc::O_CLOEXEC;
        // SAFETY: the handle is as long as it says, and outlives the call, which keeps no pointer to it.
        let opened = unsafe {
            libc::syscall(
                libc::SYS_open_by_handle_at,
                mount.as_raw_fd(),
                &raw mut raw,
                flags,
            )
        };
        let Ok(descriptor @ 0..) = i32::try_from(opened) else {
            return Err(last_error());
        };
        // SAFETY: a descriptor that the kernel has just made, which nobody else has.
        Ok(unsafe { OwnedFd::from_raw_fd(descriptor) })
    }
}

/// Names a file on the file system of `mount` by its numbers, without opening it.
///
/// # Errors
/// What the kernel said: `ESTALE` where it is gone, or the file system finds none by such numbers (tmpfs, btrfs, overlayfs).
pub fn hold_by_number(mount: BorrowedFd<'_>, object: ObjectKey) -> Result<OwnedFd, Errno> {
    FileHandle::of_number(object).ok_or(Errno::STALE)?.hold(mount)
}

fn last_error() -> Errno {
    let errno = std::io::Error::last_os_error().raw_os_error();
    Errno::from_raw_os_error(errno.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use std::{
        fs::{self, File},
        os::{fd::AsFd as _, unix::fs::MetadataExt as _},
    };

    use super::*;

    #[test]
    fn a_file_is_found_by_its_own_numbers_alone() {
        // On a disk, for a file system in memory has handles of another kind.
        let directory = tempfile::tempdir_in("/var/tmp").expect("a directory");
        let path = directory.path().join("file");
        fs::write(&path, "x").expect("writes");
        let mount = File::open(directory.path()).expect("opens");
        let of = |object| hold_by_number(mount.as_fd(), object).map(File::from);
        let inode = fs::metadata(&path).expect("there").ino();
        let file = File::open(&path).expect("opens");
        let own = FileHandle::of(file.as_fd()).ok().and_then(|handle| {
            let (_, generation) = handle.content().split_first_chunk::<4>()?;
            let own = ObjectKey {
                inode,
                generation: u32::from_ne_bytes(*generation.first_chunk()?),
                ..ObjectKey::default()
            };
            (FileHandle::of_number(own)? == handle).then_some(own)
        });
        let Some(own) = own else {
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

    #[test]
    fn a_file_is_found_by_its_handle_whatever_it_is_called_until_it_is_gone() {
        for place in ["/var/tmp", "/dev/shm"] {
            let directory = tempfile::tempdir_in(place).expect("a directory");
            let path = directory.path().join("file");
            fs::write(&path, "x").expect("writes");
            let mount = File::open(directory.path()).expect("opens");
            let file = File::open(&path).expect("opens");
            let Ok(handle) = FileHandle::of(file.as_fd()) else {
                continue;
            };
            let inode = file.metadata().expect("open").ino();
            drop(file);
            let kept = FileHandle::new(handle.kind(), handle.content()).expect("short");
            fs::rename(&path, directory.path().join("other")).expect("renamed");
            match kept.hold(mount.as_fd()) {
                Ok(found) => assert_eq!(File::from(found).metadata().expect("held").ino(), inode),
                // Who may not open by handle.
                Err(errno) => return assert_eq!(errno, Errno::PERM),
            }
            fs::remove_file(directory.path().join("other")).expect("removed");
            assert_eq!(kept.hold(mount.as_fd()).expect_err("gone"), Errno::STALE);
        }
        assert_eq!(FileHandle::new(1, &[0; 129]), None);
    }
}
