//! Which block devices hold mounted file systems.
//!
//! - Most file systems have their device's number for their own, as mountinfo(5) tells it. One that can be on several devices (btrfs) has a number of
//!   none: its devices are found by the source that mountinfo names, and, all of them and in whatever mount namespace, in sysfs.
//! - A source is text that whoever mounts chooses. It is believed of file systems only that need a device, which nobody but root mounts, and looked up without
//!   waiting: nodes of devtmpfs are always in the cache.
//! - A device may lie on others (LVM, RAID, encryption), which hold the same: sysfs names them (`slaves`).
//! - What backs a loop device is a file, and is opened as one.

use std::{
    collections::HashSet,
    ffi::OsStr,
    fs,
    os::unix::ffi::OsStrExt as _,
    path::{Path, PathBuf},
};

use rustix::fs::{CWD, FileType, Mode, OFlags, ResolveFlags, fstat, major, minor, openat2};

use crate::credential::mounted_path;

/// Major and minor number of a device.
pub type DeviceNumber = (u32, u32);

/// Device mapper allows no deeper stacks of its own; a deeper one is not followed.
const DEPTH_MAX: usize = 8;

/// Whether a block device, by its `st_rdev`, is one that a file system of this mount namespace is on, or of those `elsewhere`, or one that such a device lies on, or the
/// disk of such a partition.
#[must_use]
pub fn is_mounted(device: u64, elsewhere: &HashSet<DeviceNumber>) -> bool {
    let Ok(mounts) = fs::read("/proc/self/mountinfo") else {
        // Rather one too many than one too few.
        return true;
    };
    let mut mounted: HashSet<_> = devices_of([mounts.as_slice()]).collect();
    mounted.extend(btrfs_devices(Path::new("/sys/fs/btrfs")));
    mounted.extend(elsewhere);
    is_on(device, &mounted, Path::new("/sys/dev/block"))
}

fn is_on(device: u64, mounted: &HashSet<DeviceNumber>, sys: &Path) -> bool {
    let wanted = (major(device), minor(device));
    let mut known = mounted.clone();
    let mut last: Vec<DeviceNumber> = mounted.iter().copied().collect();
    for _ in 0..=DEPTH_MAX {
        if known.contains(&wanted) {
            return true;
        }
        let below = last.iter().flat_map(|device| lies_on(sys, *device));
        last = below
            .collect::<HashSet<_>>()
            .difference(&known)
            .copied()
            .collect();
        known.extend(&last);
    }
    false
}

/// What a device lies on: the disk of a partition, the parts of what is put together of several.
fn lies_on(sys: &Path, (major, minor): DeviceNumber) -> Vec<DeviceNumber> {
    let parts = sys.join(format!("{major}:{minor}/slaves"));
    devices_in(parts).chain(disk_of(sys, (major, minor))).collect()
}

/// The block devices that these mountinfo(5) name.
pub fn devices_of<'a>(mountinfos: impl IntoIterator<Item = &'a [u8]>) -> impl Iterator<Item = DeviceNumber> {
    let known = fs::read("/proc/filesystems").unwrap_or_default();
    let need_a_device = needing_a_device(&known);
    let devices: HashSet<_> = mountinfos
        .into_iter()
        .flat_map(|mountinfo| devices(mountinfo, &need_a_device, block_device))
        .collect();
    devices.into_iter()
}

fn devices(
    mountinfo: &[u8],
    need_a_device: &HashSet<&[u8]>,
    look: impl Fn(&Path) -> Option<DeviceNumber>,
) -> HashSet<DeviceNumber> {
    let device = |line: &[u8]| {
        let mut fields = line.split(|byte| *byte == b' ');
        let number = number(fields.nth(2)?)?;
        if number.0 != 0 {
            return Some(number);
        }
        let mut behind = fields.skip_while(|field| *field != b"-").skip(1);
        let kind = behind.next()?;
        let source = behind.next()?;
        let is_looked_up = need_a_device.contains(kind) && source.starts_with(b"/");
        is_looked_up.then(|| look(&mounted_path(source)))?
    };
    mountinfo
        .split(|byte| *byte == b'\n')
        .filter_map(device)
        .collect()
}

/// Of `/proc/filesystems`, those without `nodev`.
fn needing_a_device(known: &[u8]) -> HashSet<&[u8]> {
    known
        .split(|byte| *byte == b'\n')
        .filter_map(|line| line.strip_prefix(b"\t"))
        .collect()
}

/// The device of a block device's node.
fn block_device(path: &Path) -> Option<DeviceNumber> {
    let flags = OFlags::PATH | OFlags::CLOEXEC;
    let resolve = ResolveFlags::CACHED | ResolveFlags::NO_MAGICLINKS;
    let node = openat2(CWD, path, flags, Mode::empty(), resolve).ok()?;
    let node = fstat(node).ok()?;
    let is_block_device = FileType::from_raw_mode(node.st_mode) == FileType::BlockDevice;
    is_block_device.then(|| (major(node.st_rdev), minor(node.st_rdev)))
}

/// The devices of all btrfs file systems that are mounted: `UUID/devices/NAME` is the directory of each in sysfs.
fn btrfs_devices(sys: &Path) -> Vec<DeviceNumber> {
    let below = |directory: PathBuf| fs::read_dir(directory).into_iter().flatten().flatten();
    below(sys.to_owned())
        .flat_map(|one| devices_in(one.path().join("devices")))
        .collect()
}

/// Of a directory in sysfs that has a link to the directory of each device.
fn devices_in(directory: PathBuf) -> impl Iterator<Item = DeviceNumber> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    entries.filter_map(|device| number_in(&device.path().join("dev")))
}

/// The disk that a partition is on: its directory in sysfs is below the disk's.
fn disk_of(sys: &Path, (major, minor): DeviceNumber) -> Option<DeviceNumber> {
    let directory = sys.join(format!("{major}:{minor}"));
    directory.join("partition").exists().then_some(())?;
    number_in(&fs::canonicalize(directory).ok()?.parent()?.join("dev"))
}

fn number_in(file: &Path) -> Option<DeviceNumber> {
    number(fs::read(file).ok()?.trim_ascii())
}

/// As `8:1`.
fn number(text: &[u8]) -> Option<DeviceNumber> {
    let (major, minor) = OsStr::from_bytes(text).to_str()?.split_once(':')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn devices_are_those_of_real_file_systems() {
        let mounts =
            b"22 1 254:1 / / rw,relatime - ext4 /dev/vda1 rw\n23 22 0:5 / /proc rw - proc proc rw\nodd\n";
        let none = |_: &Path| None;
        assert_eq!(devices(mounts, &HashSet::new(), none), HashSet::from([(254, 1)]));
    }

    #[test]
    fn a_file_system_without_a_number_of_its_devices_is_known_by_its_source() {
        let known = b"nodev\ttmpfs\nnodev\tfuse\n\text4\n\tbtrfs\n";
        let look = |path: &Path| match path.to_str()? {
            "/dev/mapper/a b" => Some((253, 0)),
            "/dev/vdb" => Some((254, 16)),
            other => panic!("{other} is looked up"),
        };
        let mounts = b"30 1 0:39 /sub /srv rw shared:1 - btrfs /dev/mapper/a\\040b rw\n\
            31 1 0:40 / /tmp rw - tmpfs /dev/vdb rw\n\
            32 1 0:41 / /mnt rw - fuse /dev/vdb rw\n\
            33 1 0:42 / /opt rw - btrfs none rw\n";
        let need = needing_a_device(known);
        assert_eq!(devices(mounts, &need, look), HashSet::from([(253, 0)]));
        let mounts = b"34 1 0:43 / /b rw - btrfs /dev/vdb rw\n";
        assert_eq!(devices(mounts, &need, look), HashSet::from([(254, 16)]));
    }

    #[test]
    fn a_source_counts_only_where_it_is_a_block_device() {
        assert_eq!(block_device(Path::new("/dev/null")), None);
        assert_eq!(block_device(Path::new("/nowhere/at/all")), None);
        let blocks = fs::read_dir("/dev").into_iter().flatten().flatten();
        for node in blocks {
            use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
            let Ok(stat) = fs::symlink_metadata(node.path()) else {
                continue;
            };
            if stat.file_type().is_block_device() {
                let wanted = (major(stat.rdev()), minor(stat.rdev()));
                assert_eq!(block_device(&node.path()), Some(wanted));
                return;
            }
        }
        eprintln!("skipped: there is no block device here");
    }

    #[test]
    fn all_devices_of_a_btrfs_are_known() {
        let sys = tempfile::tempdir().expect("a directory");
        let at = |path: &str| sys.path().join(path);
        for (name, number) in [("vda2", "254:2\n"), ("vdb", "254:16\n")] {
            fs::create_dir_all(at("block").join(name)).expect("made");
            fs::write(at("block").join(name).join("dev"), number).expect("written");
            fs::create_dir_all(at("btrfs/1f-2e/devices")).expect("made");
            symlink(at("block").join(name), at("btrfs/1f-2e/devices").join(name)).expect("linked");
        }
        fs::create_dir_all(at("btrfs/features")).expect("made");
        let found: HashSet<_> = btrfs_devices(&at("btrfs")).into_iter().collect();
        assert_eq!(found, HashSet::from([(254, 2), (254, 16)]));
        assert_eq!(btrfs_devices(&at("nothing")), []);
    }

    #[test]
    fn a_partition_is_on_its_disk() {
        let sys = tempfile::tempdir().expect("a directory");
        let disk = sys.path().join("devices/vda");
        fs::create_dir_all(disk.join("vda1")).expect("made");
        fs::write(disk.join("dev"), "254:0\n").expect("written");
        fs::write(disk.join("vda1/partition"), "1\n").expect("written");
        symlink(disk.join("vda1"), sys.path().join("254:1")).expect("linked");
        symlink(&disk, sys.path().join("254:0")).expect("linked");
        assert_eq!(disk_of(sys.path(), (254, 1)), Some((254, 0)));
        assert_eq!(disk_of(sys.path(), (254, 0)), None);
        let is_on = |minor| {
            is_on(
                rustix::fs::makedev(254, minor),
                &HashSet::from([(254, 1)]),
                sys.path(),
            )
        };
        assert!(is_on(0) && is_on(1) && !is_on(2));
    }

    #[test]
    fn a_device_is_on_all_that_it_lies_on() {
        let sys = tempfile::tempdir().expect("a directory");
        let at = |path: &str| sys.path().join(path);
        for (name, number) in [
            ("vda", "254:0"),
            ("vda1", "254:1"),
            ("md0", "9:0"),
            ("dm-0", "253:0"),
        ] {
            let directory = if name == "vda1" { at("vda/vda1") } else { at(name) };
            fs::create_dir_all(directory.join("slaves")).expect("made");
            fs::write(directory.join("dev"), number).expect("written");
            symlink(&directory, at(number)).expect("linked");
        }
        fs::write(at("vda/vda1/partition"), "1").expect("written");
        symlink(at("md0"), at("dm-0/slaves/md0")).expect("linked");
        symlink(at("vda/vda1"), at("md0/slaves/vda1")).expect("linked");
        // A circle that no kernel makes has an end.
        symlink(at("dm-0"), at("md0/slaves/dm-0")).expect("linked");
        let mounted = HashSet::from([(253, 0)]);
        let is_on = |major, minor| is_on(rustix::fs::makedev(major, minor), &mounted, sys.path());
        assert!(is_on(253, 0) && is_on(9, 0) && is_on(254, 1) && is_on(254, 0));
        assert!(!is_on(254, 2) && !is_on(9, 1));
    }

    #[test]
    fn what_is_mounted_elsewhere_counts() {
        let nobodys = rustix::fs::makedev(4_000, 7);
        assert!(!is_mounted(nobodys, &HashSet::new()));
        assert!(is_mounted(nobodys, &HashSet::from([(4_000, 7)])));
    }
}
