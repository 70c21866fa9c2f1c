//! The files that bound what the sensor may use: those of its cgroups, and of the cgroups above. Who writes them can starve it, or hold it still.

use std::{
    fs,
    path::{Path, PathBuf},
};

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

/// Directories of cgroups that are looked at, at most; those farther from the sensor are left out.
const DIRECTORIES_MAX: usize = 64;

/// Those that are there now. The topmost cgroup of a hierarchy has none that bounds.
pub(super) fn files() -> Vec<PathBuf> {
    let read = |path| fs::read_to_string(path).unwrap_or_default();
    let directories = directories(&read("/proc/self/cgroup"), &read("/proc/self/mountinfo"));
    let paths = directories
        .iter()
        .flat_map(|directory| NAMES.map(|name| directory.join(name)));
    paths.filter(|path| path.exists()).collect()
}

/// The directories of its cgroups, and those above them, by /proc/PID/cgroup and /proc/PID/mountinfo.
fn directories(cgroups: &str, mounts: &str) -> Vec<PathBuf> {
    let mut all = Vec::new();
    for line in cgroups.lines() {
        let mut fields = line.splitn(3, ':');
        let (Some(_), Some(controllers), Some(path)) = (fields.next(), fields.next(), fields.next()) else {
            continue;
        };
        let Some((root, place)) = mounts.lines().find_map(|mount| mounted(mount, controllers)) else {
            continue;
        };
        let Ok(below) = Path::new(path).strip_prefix(root) else {
            continue;
        };
        let own = place.join(below);
        let bounds = own.ancestors().take_while(|directory| *directory != place);
        all.extend(bounds.map(Path::to_owned));
    }
    all.truncate(DIRECTORIES_MAX);
    all
}

/// What of a hierarchy a line of mountinfo shows, and where, if it is the one with these controllers; none for v2.
fn mounted<'a>(mount: &'a str, controllers: &str) -> Option<(&'a str, PathBuf)> {
    let (place, system) = mount.split_once(" - ")?;
    let mut place = place.split(' ').skip(3);
    let (root, place) = (place.next()?, place.next()?);
    let mut system = system.split(' ');
    let (kind, options) = (system.next()?, system.nth(1)?);
    let is_it = match kind {
        "cgroup2" => controllers.is_empty(),
        "cgroup" => {
            !controllers.is_empty()
                && controllers
                    .split(',')
                    .all(|controller| options.split(',').any(|option| option == controller))
        }
        _ => false,
    };
    is_it.then(|| (root, PathBuf::from(place)))
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
        let found = directories(cgroups, mounts);
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
    fn a_deep_cgroup_is_bounded() {
        let deep = format!("0::{}\n", "/x".repeat(200));
        assert_eq!(found(&deep, MOUNTS).len(), DIRECTORIES_MAX);
    }
}
