//! Looking at a file without opening it: what stat(2) says, and when it was made.

use std::os::fd::AsFd;

use rustix::fs::{AtFlags, FileType, Statx, StatxFlags, makedev, statx};
use rustix::io::Errno;
use rustix::path::Arg;

/// A file as it looks, apart from another that takes its path.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Seen {
    /// Its device, as `st_dev` has it.
    pub device: u64,
    /// `st_ino`
    pub inode: u64,
    /// `st_uid`
    pub owner: u32,
    /// When it was made, in seconds and nanoseconds of the Unix time: ext4 gives the number of a file that was removed to the next one that is made. Where a
    /// file system does not keep that time, when it was changed last.
    pub born: (i64, u32),
}

impl Seen {
    /// What a look says.
    #[must_use]
    pub fn of(look: &Statx) -> Self {
        let is_kept = look.stx_mask & StatxFlags::BTIME.bits() != 0;
        let born = if is_kept { look.stx_btime } else { look.stx_ctime };
        Self {
            device: device_of(look),
            inode: look.stx_ino,
            owner: look.stx_uid,
            born: (born.tv_sec, born.tv_nsec),
        }
    }
}

/// Looks at what `name` is in `folder`, and at a symbolic link itself. Nothing is mounted for it.
pub(super) fn look_at(folder: impl AsFd, name: impl Arg) -> Result<Statx, Errno> {
    look(folder, name, AtFlags::SYMLINK_NOFOLLOW)
}

/// Looks at what a descriptor stands for.
pub(super) fn look_at_held(file: impl AsFd) -> Result<Statx, Errno> {
    look(file, "", AtFlags::EMPTY_PATH)
}

fn look(folder: impl AsFd, name: impl Arg, flags: AtFlags) -> Result<Statx, Errno> {
    let wanted = StatxFlags::BASIC_STATS | StatxFlags::BTIME;
    // Without it statx(2) mounts what stat(2) would not.
    statx(folder, name, flags | AtFlags::NO_AUTOMOUNT, wanted)
}

pub(super) fn device_of(look: &Statx) -> u64 {
    makedev(look.stx_dev_major, look.stx_dev_minor)
}

pub(super) fn type_of(look: &Statx) -> FileType {
    FileType::from_raw_mode(look.stx_mode.into())
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};

    use super::*;

    #[test]
    fn a_file_that_is_given_the_number_of_another_is_another() {
        let folder = tempfile::tempdir().expect("a folder");
        let root = File::open(folder.path()).expect("opened");
        let look = || look_at(&root, "key").expect("there");
        fs::write(folder.path().join("key"), "one").expect("written");
        let one = look();
        fs::write(folder.path().join("key"), "two").expect("written");
        if one.stx_mask & StatxFlags::BTIME.bits() != 0 {
            assert_eq!(Seen::of(&look()), Seen::of(&one), "it was only written");
        }
        // The clock of file systems goes by ticks of the kernel, of ten milliseconds at most.
        std::thread::sleep(std::time::Duration::from_millis(30));
        fs::remove_file(folder.path().join("key")).expect("removed");
        fs::write(folder.path().join("key"), "one").expect("written");
        let other = look();
        assert_ne!(
            Seen::of(&other).born,
            Seen::of(&one).born,
            "whether it has the same number or not"
        );
        assert_eq!(
            device_of(&other),
            fs::metadata(folder.path())
                .map(|of| std::os::unix::fs::MetadataExt::dev(&of))
                .expect("there")
        );
    }
}
