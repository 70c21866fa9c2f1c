//! Which file systems are mounted, by what outlives a start of the host.

use std::{
    collections::HashSet,
    path::{Path, PathBuf},
};

use claviger_sensor_common::ObjectKey;

use super::FileSystem;
use crate::credential::Mounted;

/// Mounts of one file system by which files are looked for; one is enough, where it is a directory.
const MOUNTS_MAX: usize = 4;

/// The major and minor number of the device of an object's superblock.
pub(in crate::agent) fn device_of(object: ObjectKey) -> (u32, u32) {
    (object.device >> 20, object.device & 0xf_ffff)
}

/// File systems that are mounted here, and that neither a program nor another host serves.
#[derive(Debug, Default)]
pub(in crate::agent) struct FileSystems(Vec<One>);

#[derive(Debug)]
struct One {
    device: (u32, u32),
    file_system: FileSystem,
    points: Vec<PathBuf>,
}

impl FileSystems {
    /// Those of all mounts that are wanted. Touches each of them; `step` says before whether that may be done.
    pub(in crate::agent) fn look(is_wanted: impl Fn(&Mounted) -> bool, step: impl Fn(&Path) -> bool) -> Self {
        let mut all: Vec<One> = Vec::new();
        let mut unknown = HashSet::new();
        for mounted in Mounted::all() {
            let device = mounted.device;
            if !is_wanted(&mounted) || unknown.contains(&device) {
                continue;
            }
            if let Some(one) = all.iter_mut().find(|one| one.device == device) {
                if one.points.len() < MOUNTS_MAX {
                    one.points.push(mounted.point);
                }
                continue;
            }
            let said = step(&mounted.point)
                .then(|| rustix::fs::statvfs(&mounted.point))
                .and_then(Result::ok);
            let Some(said) = said else {
                unknown.insert(device);
                continue;
            };
            all.push(One {
                device,
                file_system: FileSystem {
                    id: said.f_fsid,
                    kind: mounted.kind,
                    source: mounted.source,
                },
                points: vec![mounted.point],
            });
        }
        Self(all)
    }

    /// All, by their device.
    pub(in crate::agent) fn all(&self) -> impl Iterator<Item = ((u32, u32), &FileSystem)> {
        self.0.iter().map(|one| (one.device, &one.file_system))
    }

    /// That of an object.
    pub(in crate::agent) fn of(&self, object: ObjectKey) -> Option<&FileSystem> {
        let device = device_of(object);
        let one = self.0.iter().find(|one| one.device == device)?;
        Some(&one.file_system)
    }

    /// Where a file system is mounted; nowhere where it is not.
    pub(in crate::agent) fn mounts_of(&self, file_system: &FileSystem) -> impl Iterator<Item = &Path> {
        let those = self.0.iter().filter(|one| one.file_system.is(file_system));
        those.flat_map(|one| one.points.iter().map(PathBuf::as_path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_system_is_told_by_its_id_and_by_its_source_only_where_it_has_none() {
        let of = |id, source: &str| FileSystem {
            id,
            kind: b"ext4".to_vec(),
            source: source.into(),
        };
        assert!(of(1, "/dev/sda").is(&of(1, "/dev/sdb")), "devices change names");
        assert!(!of(1, "/dev/sda").is(&of(2, "/dev/sda")));
        assert!(of(0, "x").is(&of(0, "x")) && !of(0, "x").is(&of(0, "y")));
        let other = FileSystem {
            kind: b"xfs".to_vec(),
            ..of(1, "/dev/sda")
        };
        assert!(!of(1, "/dev/sda").is(&other));
    }

    #[test]
    fn what_is_mounted_is_found_and_what_may_not_be_touched_is_not() {
        let all = FileSystems::look(|_| true, |_| true);
        assert!(
            all.0
                .iter()
                .all(|one| !one.points.is_empty() && one.points.len() <= MOUNTS_MAX)
        );
        let some = all.0.first().expect("something is mounted");
        assert!(all.mounts_of(&some.file_system).count() > 0);
        assert!(FileSystems::look(|_| true, |_| false).0.is_empty());
        assert!(FileSystems::look(|_| false, |_| true).0.is_empty());
    }
}
