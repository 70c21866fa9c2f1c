//! The cgroup of v2 below which all others are that are shown here. Where none is mounted (hybrid and v1 hosts may do without), it is mounted nowhere, for this process alone.

use std::{
    fs::{self, File},
    io,
    os::{fd::AsFd as _, unix::fs::MetadataExt as _},
    path::Path,
};

use rustix::{
    fs::{Mode, OFlags, openat},
    mount::{FsMountFlags, FsOpenFlags, MountAttrFlags, fsconfig_create, fsconfig_set_flag, fsmount, fsopen},
};

/// The inode of the root of a hierarchy.
const ROOT: u64 = 1;

/// Whose mounts are looked at: this process's, and those of the first process, which are the host's for a service that is shown another tree.
const PROCESSES: [&str; 2] = ["self", "1"];

/// The topmost cgroup that is shown here.
pub(super) struct Topmost {
    /// Its directory.
    pub directory: File,
    /// Whether it is that of the whole hierarchy, and not of a container's part.
    pub is_root: bool,
}

/// Of several, the root of the hierarchy.
///
/// # Errors
/// Where none is shown, and none can be mounted: says both.
pub(super) fn topmost() -> io::Result<Topmost> {
    let mut found = None;
    let mut elsewhere = Vec::new();
    for process in PROCESSES {
        let mounts = fs::read_to_string(format!("/proc/{process}/mounts")).unwrap_or_default();
        for Mounted { place, options } in mounted(&mounts) {
            let place = Path::new(&format!("/proc/{process}/root")).join(place.trim_start_matches('/'));
            elsewhere = options.iter().map(|&option| option.to_owned()).collect();
            let Ok(topmost) = File::open(place).and_then(Topmost::at) else {
                continue;
            };
            if topmost.is_root {
                return Ok(topmost);
            }
            found.get_or_insert(topmost);
        }
    }
    match found {
        Some(topmost) => Ok(topmost),
        None => detached(&elsewhere).and_then(Topmost::at).map_err(|error| {
            let why = format!("cgroup v2 is not mounted, and cannot be: {error}");
            io::Error::new(error.kind(), why)
        }),
    }
}

impl Topmost {
    fn at(directory: File) -> io::Result<Self> {
        let is_root = directory.metadata()?.ino() == ROOT;
        Ok(Self { directory, is_root })
    }
}

/// The root of this process's cgroup namespace, in a mount that has no place. Options are the hierarchy's, not the mount's: those that it has are to be given again, or
/// the host loses them.
fn detached(options: &[String]) -> io::Result<File> {
    let context = fsopen("cgroup2", FsOpenFlags::FSOPEN_CLOEXEC)?;
    for option in options {
        fsconfig_set_flag(context.as_fd(), option.as_str())?;
    }
    fsconfig_create(context.as_fd())?;
    let attributes = MountAttrFlags::MOUNT_ATTR_NOSUID
        | MountAttrFlags::MOUNT_ATTR_NODEV
        | MountAttrFlags::MOUNT_ATTR_NOEXEC;
    let root = fsmount(context.as_fd(), FsMountFlags::FSMOUNT_CLOEXEC, attributes)?;
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    Ok(File::from(openat(&root, ".", flags, Mode::empty())?))
}

/// A mount of cgroups of v2.
#[derive(Debug, PartialEq, Eq)]
struct Mounted<'a> {
    place: &'a str,
    /// Of the hierarchy.
    options: Vec<&'a str>,
}

fn mounted(mounts: &str) -> impl Iterator<Item = Mounted<'_>> {
    /// What every mount has by itself.
    const OF_MOUNTS: [&str; 9] = [
        "rw",
        "ro",
        "nosuid",
        "nodev",
        "noexec",
        "relatime",
        "noatime",
        "nodiratime",
        "seclabel",
    ];
    mounts.lines().filter_map(|mount| {
        let mut fields = mount.split(' ').skip(1);
        let (place, kind, options) = (fields.next()?, fields.next()?, fields.next().unwrap_or_default());
        let options = options.split(',').filter(|option| !OF_MOUNTS.contains(option));
        (kind == "cgroup2").then(|| Mounted {
            place,
            options: options.filter(|option| !option.is_empty()).collect(),
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cgroups_are_found_where_they_are_mounted() {
        let mounts = "\
tmpfs /sys/fs/cgroup tmpfs rw 0 0
cgroup2 /sys/fs/cgroup/unified cgroup2 rw,nosuid,nsdelegate,memory_recursiveprot 0 0
cgroup /sys/fs/cgroup/memory cgroup rw,memory 0 0
none /run/all cgroup2 rw 0 0
cut
";
        let found: Vec<_> = mounted(mounts)
            .map(|mounted| (mounted.place, mounted.options))
            .collect();
        assert_eq!(
            found,
            [
                (
                    "/sys/fs/cgroup/unified",
                    vec!["nsdelegate", "memory_recursiveprot"]
                ),
                ("/run/all", vec![])
            ]
        );
    }

    #[test]
    fn without_a_mount_it_is_mounted_nowhere() {
        let mounts = || fs::read_to_string("/proc/self/mounts").expect("there");
        let before = mounts();
        let options = mounted(&before).next().map(|mounted| mounted.options);
        let options: Vec<String> = options.into_iter().flatten().map(str::to_owned).collect();
        let directory = match detached(&options) {
            Ok(directory) => directory,
            Err(error) => {
                eprintln!("not tested: {error}");
                return;
            }
        };
        // A thing of every cgroup of v2.
        assert!(openat(&directory, "cgroup.procs", OFlags::RDONLY, Mode::empty()).is_ok());
        assert_eq!(mounts(), before, "nothing is mounted, and no option lost");
    }
}
