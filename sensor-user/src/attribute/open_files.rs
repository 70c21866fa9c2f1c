//! Files that a process has open, held by its descriptors: also those at which no path leads any more, or never did.

use std::{
    ffi::{CStr, CString},
    os::fd::OwnedFd,
};

use rustix::fs::{AtFlags, Dir, Mode, OFlags, StatxFlags, makedev, statx};

use super::{proc_fs::holds, procfs::ProcessDirectory, program_place::mount_of};
use crate::decode::ProcessKey;

/// Descriptors of a process that are looked at.
const DESCRIPTORS_MAX: usize = 4_096;

/// Descriptors with the inode that is sought, on other devices by what stat(2) says, of which the mount is looked up.
const ELSEWHERE_MAX: usize = 16;

/// The file of this device (`st_dev` of its superblock's) and inode that a process has open, held without being opened; nothing where it has none
/// such, or is gone. Never waits for a file system.
#[must_use]
pub fn open_file_of(process: ProcessKey, (device, inode): (u64, u64)) -> Option<OwnedFd> {
    let directory = ProcessDirectory::of(process.pid)?;
    if !holds(&directory, process) {
        return None;
    }
    let descriptors = directory.listed("fd")?;
    let hold = |name: &CStr| {
        let flags = OFlags::PATH | OFlags::CLOEXEC;
        rustix::fs::openat(&descriptors, name, flags, Mode::empty()).ok()
    };
    // By the number of their mount.
    let mut elsewhere: Vec<(u64, CString)> = Vec::new();
    let entries = Dir::read_from(&descriptors).ok()?.flatten();
    let names =
        entries.filter(|entry| entry.file_name().to_bytes() != b"." && entry.file_name().to_bytes() != b"..");
    for entry in names.take(DESCRIPTORS_MAX) {
        let name = entry.file_name();
        let wanted = StatxFlags::INO | StatxFlags::MNT_ID;
        let Ok(stat) = statx(&descriptors, name, AtFlags::STATX_DONT_SYNC, wanted) else {
            continue;
        };
        if stat.stx_ino != inode {
            continue;
        }
        if makedev(stat.stx_dev_major, stat.stx_dev_minor) == device {
            return hold(name);
        }
        let is_new = elsewhere.iter().all(|(mount, _)| *mount != stat.stx_mnt_id);
        if is_new && elsewhere.len() < ELSEWHERE_MAX {
            elsewhere.push((stat.stx_mnt_id, name.to_owned()));
        }
    }
    if elsewhere.is_empty() {
        return None;
    }
    // Where stat(2) has another device than the superblock (btrfs, overlayfs), the mounts tell that. One that the process does not see may be any.
    let mounts = directory.read("mountinfo")?;
    let may_be_it = |mount| mount_of(&mounts, mount).is_none_or(|mount| mount.device == device);
    let (_, name) = elsewhere.iter().find(|(mount, _)| may_be_it(*mount))?;
    hold(name)
}

#[cfg(test)]
mod tests {
    use std::{fs::File, os::unix::fs::MetadataExt as _};

    use rustix::fs::{MemfdFlags, memfd_create};

    use super::*;
    use crate::attribute::program_of;

    #[test]
    fn what_is_open_is_held_though_no_path_leads_there() {
        let file = File::from(memfd_create("x", MemfdFlags::CLOEXEC).expect("made"));
        let found = file.metadata().expect("there");
        let object = (found.dev(), found.ino());
        let (own, _) = program_of(std::process::id()).expect("this process");
        let held = open_file_of(own, object).expect("open");
        assert_eq!(rustix::fs::fstat(held).expect("held").st_ino, object.1);
        drop(file);
        assert!(open_file_of(own, object).is_none(), "it is closed");
        let other = ProcessKey {
            start_ticks: own.start_ticks + 1,
            ..own
        };
        assert!(open_file_of(other, object).is_none());
    }

    #[test]
    fn a_file_with_the_inode_on_another_device_is_not_it() {
        let file = tempfile::tempfile().expect("made");
        let found = file.metadata().expect("there");
        let (own, _) = program_of(std::process::id()).expect("this process");
        assert!(open_file_of(own, (found.dev(), found.ino())).is_some());
        assert!(open_file_of(own, (u64::MAX, found.ino())).is_none());
    }
}
