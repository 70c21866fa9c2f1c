//! Which block devices hold mounted file systems.

use std::{collections::HashSet, fs, path::Path};

/// Whether a block device, by its `st_rdev`, is one that a file system of this mount namespace is on, or the disk of such a partition.
#[must_use]
pub fn is_mounted(device: u64) -> bool {
    let Ok(mounts) = fs::read_to_string("/proc/self/mountinfo") else {
        // Rather one too many than one too few.
        return true;
    };
    let wanted = format!("{}:{}", rustix::fs::major(device), rustix::fs::minor(device));
    let mounted = devices(&mounts);
    mounted.contains(wanted.as_str())
        || mounted
            .iter()
            .any(|partition| disk_of(Path::new("/sys/dev/block"), partition).as_ref() == Some(&wanted))
}

/// Field 3 of each line of proc_pid_mountinfo(5).
fn devices(mounts: &str) -> HashSet<&str> {
    mounts
        .lines()
        .filter_map(|line| line.split(' ').nth(2))
        .filter(|device| !device.starts_with("0:"))
        .collect()
}

/// The disk that a partition is on: its directory in sysfs is below the disk's.
fn disk_of(sys: &Path, partition: &str) -> Option<String> {
    let directory = sys.join(partition);
    directory.join("partition").exists().then_some(())?;
    let disk = fs::canonicalize(directory).ok()?.parent()?.join("dev");
    Some(fs::read_to_string(disk).ok()?.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_are_those_of_real_file_systems() {
        let mounts =
            "22 1 254:1 / / rw,relatime - ext4 /dev/vda1 rw\n23 22 0:5 / /proc rw - proc proc rw\nodd\n";
        assert_eq!(devices(mounts), HashSet::from(["254:1"]));
    }

    #[test]
    fn a_partition_is_on_its_disk() {
        let sys = tempfile::tempdir().expect("a directory");
        let disk = sys.path().join("devices/vda");
        fs::create_dir_all(disk.join("vda1")).expect("made");
        fs::write(disk.join("dev"), "254:0\n").expect("written");
        fs::write(disk.join("vda1/partition"), "1\n").expect("written");
        std::os::unix::fs::symlink(disk.join("vda1"), sys.path().join("254:1")).expect("linked");
        std::os::unix::fs::symlink(&disk, sys.path().join("254:0")).expect("linked");
        assert_eq!(disk_of(sys.path(), "254:1").as_deref(), Some("254:0"));
        assert_eq!(disk_of(sys.path(), "254:0"), None);
    }
}
