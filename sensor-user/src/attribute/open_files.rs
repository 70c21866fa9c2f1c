//! Files that a process has open, held by its descriptors: also those at which no path leads any more, or never did.

use std::os::fd::OwnedFd;

use rustix::fs::{AtFlags, Dir, Mode, OFlags, StatxFlags, statx};

use super::{proc_fs::holds, procfs::ProcessDirectory};
use crate::decode::ProcessKey;

/// Descriptors of a process that are looked at.
const DESCRIPTORS_MAX: usize = 4_096;

/// The file with this inode that a process has open, held without being opened; nothing where it has none such, or is gone. Never waits for a file
/// system.
#[must_use]
pub fn open_file_of(process: ProcessKey, inode: u64) -> Option<OwnedFd> {
    let directory = ProcessDirectory::of(process.pid)?;
    if !holds(&directory, process) {
        return None;
    }
    let descriptors = directory.listed("fd")?;
    let entries = Dir::read_from(&descriptors).ok()?.flatten();
    let names =
        entries.filter(|entry| entry.file_name().to_bytes() != b"." && entry.file_name().to_bytes() != b"..");
    for entry in names.take(DESCRIPTORS_MAX) {
        let flags = AtFlags::STATX_DONT_SYNC;
        let is_it = statx(&descriptors, entry.file_name(), flags, StatxFlags::INO)
            .is_ok_and(|stat| stat.stx_ino == inode);
        if is_it {
            let flags = OFlags::PATH | OFlags::CLOEXEC;
            return rustix::fs::openat(&descriptors, entry.file_name(), flags, Mode::empty()).ok();
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt as _;

    use super::*;
    use crate::attribute::program_of;

    #[test]
    fn what_is_open_is_held_though_no_path_leads_there() {
        let file = tempfile::tempfile().expect("made");
        let inode = file.metadata().expect("there").ino();
        let (own, _) = program_of(std::process::id()).expect("this process");
        let held = open_file_of(own, inode).expect("open");
        assert_eq!(rustix::fs::fstat(held).expect("held").st_ino, inode);
        drop(file);
        assert!(open_file_of(own, inode).is_none(), "it is closed");
        let other = ProcessKey {
            start_ticks: own.start_ticks + 1,
            ..own
        };
        assert!(open_file_of(other, inode).is_none());
    }
}
