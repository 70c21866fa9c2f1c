//! The files that bound what the sensor may use: those of its cgroups, and of the cgroups above. Who writes them can starve it, or hold it still.

use std::{
    ffi::OsStr,
    os::unix::ffi::OsStrExt as _,
    path::{Path, PathBuf},
};

use crate::{attribute::ProcessDirectory, credential::mounted_path};

/// Of v2, then what only v1 has. `cgroup.kill` cannot be opened for reading, so it cannot be labelled; what it does is seen as a signal.
const NAMES: [&str; 14] = [
    "cgroup.freeze",
    "cpu.max",
    "cpu.weight",
    "cpu.idle",
    "cpuset.cpus",
    "memory.max",
    "memory.high",
    "memory.swap.max",
    "pids.max",
    "io.max",
    "freezer.state",
    "cpu.cfs_quota_us",
    "cpu.shares",
    "memory.limit_in_bytes",
];

/// Directories of one hierarchy that are looked at, at most; those farther from the sensor are left out. There are no more hierarchies than the kernel
/// has controllers, and the one of v2.
const DIRECTORIES_MAX: usize = 64;

/// Those that are there now; nothing where the kernel does not tell. The topmost cgroup of a hierarchy has none that bounds.
pub(super) fn files() -> Option<Vec<PathBuf>> {
    let own = ProcessDirectory::own()?;
    let directories = directories(&own.read("cgroup")?, &own.read("mountinfo")?);
    let paths = directories
        .iter()
        .flat_map(|directory| NAMES.map(|name| directory.join(name)));
    Some(paths.filter(|path| path.exists()).collect())
}

/// The directories of its cgroups, and those above them, by /proc/PID/cgroup and /proc/PID/mountinfo. A line that is not understood is passed over: of
/// a mount that anybody may make.
fn directories(cgroups: &[u8], mounts: &[u8]) -> Vec<PathBuf> {
    let mut all = Vec::new();
    for line in lines(cgroups) {
        let mut fields = line.splitn(3, |byte| *byte == b':');
        let (Some(_), Some(controllers), Some(path)) = (fields.next(), fields.next(), fields.next()) else {
            continue;
        };
        // One with a name and no controller bounds nothing.
        if controllers.starts_with(b"name=") {
            continue;
        }
        let Some((root, place)) = lines(mounts).find_map(|mount| mounted(mount, controllers)) else {
            continue;
        };
        let Ok(below) = Path::new(OsStr::from_bytes(path)).strip_prefix(root) else {
            continue;
        };
        let own = place.join(below);
        let bounds = own.ancestors().take_while(|directory| *directory != place);
        all.extend(bounds.take(DIRECTORIES_MAX).map(Path::to_owned));
    }
    all
}

fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(|byte| *byte == b'\n')
}

/// What of a hierarchy a line of mountinfo shows, and where, if it is the one with these controllers; none for v2.
fn mounted(mount: &[u8], controllers: &[u8]) -> Option<(PathBuf, PathBuf)> {
    let mut fields = mount.split(|byte| *byte == b' ').skip(3);
    let (root, place) = (fields.next()?, fields.next()?);
    let mut system = fields.skip_while(|field| *field != b"-").skip(1);
    let (kind, options) = (system.next()?, system.nth(1)?);
    let words = |field| <[u8]>::split(field, |byte| *byte == b',');
    let is_it = match kind {
        b"cgroup2" => controllers.is_empty(),
        b"cgroup" => {
            !controllers.is_empty()
                && words(controllers).all(|controller| words(options).any(|option| option == controller))
        }
        _ => false,
    };
    is_it.then(|| (mounted_path(root), mounted_path(place)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOUNTS: &str = "\
31 30 0:27 / /sys/fs/cgroup/freezer rw,relatime - cgroup cgroup rw,freezer
32 30 0:28 / /sys/fs/cgroup/cpu,cpuacct rw,relatime shared:5 - cgroup cgroup rw,cpu,cpuacct
33 30 0:29 / /sys/fs/cgroup/unified rw,relatime shared:6 - cgroup2 cgroup2 rw
";

    fn found(cgroups: &str, mounts: &str) -> Vec<String> {
        found_in(cgroups, mounts.as_bytes())
    }

    fn found_in(cgroups: &str, mounts: &[u8]) -> Vec<String> {
        let found = directories(cgroups.as_bytes(), mounts);
        found.iter().map(|path| path.display().to_string()).collect()
    }

    #[test]
    fn each_hierarchy_is_followed_to_below_its_top() {
        let cgroups = "9:freezer:/\n8:cpu,cpuacct:/sensor\n0::/system.slice/claviger.service\n";
        assert_eq!(
            found(cgroups, MOUNTS),
            [
                "/sys/fs/cgroup/cpu,cpuacct/sensor",
                "/sys/fs/cgroup/unified/system.slice/claviger.service",
                "/sys/fs/cgroup/unified/system.slice",
            ]
        );
    }

    #[test]
    fn what_is_not_shown_here_is_left_out() {
        let elsewhere = MOUNTS.replace("0:29 / ", "0:29 /pod ");
        assert_eq!(
            found("0::/pod/a/b\n", &elsewhere),
            ["/sys/fs/cgroup/unified/a/b", "/sys/fs/cgroup/unified/a"]
        );
        assert!(found("0::/other\n", &elsewhere).is_empty());
        assert!(found("0::/x\n", "").is_empty());
        assert!(found("nothing", MOUNTS).is_empty());
    }

    #[test]
    fn a_mount_that_anybody_made_hides_nothing() {
        let mut mounts = b"40 30 0:50 / /home/a/\xff rw - fuse x rw\nodd\n".to_vec();
        mounts.extend_from_slice(MOUNTS.as_bytes());
        assert_eq!(found_in("0::/x\n", &mounts), ["/sys/fs/cgroup/unified/x"]);
    }

    #[test]
    fn a_place_with_a_space_is_found() {
        let mounts = MOUNTS.replace("0:29 / /sys/fs", "0:29 /a\\040b /my\\040fs");
        assert_eq!(found("0::/a b/c\n", &mounts), ["/my fs/cgroup/unified/c"]);
    }

    #[test]
    fn a_deep_cgroup_is_bounded_and_takes_no_room_from_another() {
        let deep = format!("9:freezer:{}\n0::/x\n", "/x".repeat(200));
        let found = found(&deep, MOUNTS);
        assert_eq!(found.len(), DIRECTORIES_MAX + 1);
        assert!(found.contains(&"/sys/fs/cgroup/unified/x".to_owned()));
    }

    #[test]
    fn a_hierarchy_without_a_controller_is_left_out() {
        let mounts = "31 30 0:27 / /sys/fs/cgroup/a rw - cgroup cgroup rw,name=a\n";
        assert!(found("9:name=a:/x\n", mounts).is_empty());
    }

    #[test]
    fn the_own_are_told_by_the_kernel() {
        assert!(files().is_some());
    }
}
