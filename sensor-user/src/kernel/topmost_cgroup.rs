//! The cgroup of v2 below which all others are that are shown here.

use std::{
    fs::{self, File},
    io,
    os::unix::fs::MetadataExt as _,
};

/// The inode of the root of a hierarchy.
const ROOT: u64 = 1;

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
/// Where none is shown.
pub(super) fn topmost() -> io::Result<Topmost> {
    let mounts = fs::read_to_string("/proc/self/mounts")?;
    let mut found = Err(io::ErrorKind::NotFound.into());
    for place in places(&mounts) {
        let directory = File::open(place)?;
        let is_root = directory.metadata()?.ino() == ROOT;
        found = Ok(Topmost { directory, is_root });
        if is_root {
            break;
        }
    }
    found
}

/// Where cgroups of v2 are mounted.
fn places(mounts: &str) -> impl Iterator<Item = &str> {
    mounts.lines().filter_map(|mount| {
        let mut fields = mount.split(' ').skip(1);
        let (place, kind) = (fields.next()?, fields.next()?);
        (kind == "cgroup2").then_some(place)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cgroups_are_found_where_they_are_mounted() {
        let mounts = "\
tmpfs /sys/fs/cgroup tmpfs rw 0 0
cgroup2 /sys/fs/cgroup/unified cgroup2 rw,nsdelegate 0 0
cgroup /sys/fs/cgroup/memory cgroup rw,memory 0 0
none /run/all cgroup2 rw 0 0
cut
";
        let found: Vec<&str> = places(mounts).collect();
        assert_eq!(found, ["/sys/fs/cgroup/unified", "/run/all"]);
    }
}
