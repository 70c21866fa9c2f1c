//! File systems that are others by now. A device keeps its number, and another file system on it can have a file of the same number and generation: what has
//! left its place on the one before must not be taken for that.
//!
//! - Another one is told by its id ([`FileSystem`]), as it is at each scan.
//! - Some give their files no generation (squashfs, or what `mkfs.ext4 -d` wrote), and some have no id but the device's number. What has left its place on one
//!   of these is forgotten once it is mounted nowhere.

use std::{
    collections::{HashMap, HashSet},
    path::Path,
};

use rustix::fs::makedev;

use super::Labelling;
use crate::agent::{
    labelled::Labelled,
    remembered::{FileSystem, FileSystems, device_of},
};

/// File systems that labels were set on, by their device.
pub(super) type Known = HashMap<(u32, u32), FileSystem>;

/// Of what has no device of its own, the only type whose generations begin anew with each file system.
const COUNTS_FROM_ONE: &[u8] = b"btrfs";

impl Labelling {
    /// Takes away what is known of files that have left their place, where their file system is another one now.
    pub(super) fn forget_what_was_replaced(&mut self) {
        let devices = self.table.devices();
        self.file_systems.retain(|device, _| devices.contains(device));
        let wanted = devices.clone();
        let looked = self.hands.run(Path::new("/"), move |progress| {
            FileSystems::look(
                |mounted| {
                    let may_be_another = mounted.device.0 != 0 || mounted.kind == COUNTS_FROM_ONE;
                    may_be_another && wanted.contains(&mounted.device)
                },
                |point| progress.step(point),
            )
        });
        let Ok(now) = looked else { return };
        let replaced = replaced(&mut self.file_systems, now.all());
        let here: HashSet<_> = now.all().map(|(device, _)| device).collect();
        let left = self.table.devices_of_gone().into_iter().filter(|device| {
            let (major, minor) = *device;
            major != 0 && !here.contains(device) && !self.mounted.or_here(makedev(major, minor))
        });
        let left: HashSet<_> = left.collect();
        if replaced.is_empty() && left.is_empty() {
            return;
        }
        let is_gone = |labelled: &Labelled| {
            let device = device_of(labelled.object);
            replaced.contains(&device) || (left.contains(&device) && labelled.object.generation == 0)
        };
        for dropped in self.table.drop_gone(is_gone) {
            self.drop_label(dropped);
        }
    }
}

/// Those that are others than before. From now on the others are known.
fn replaced<'a>(
    known: &mut Known,
    now: impl Iterator<Item = ((u32, u32), &'a FileSystem)>,
) -> HashSet<(u32, u32)> {
    let mut replaced = HashSet::new();
    for (device, file_system) in now {
        let before = known.insert(device, file_system.clone());
        if before.is_some_and(|before| !before.is(file_system)) {
            replaced.insert(device);
        }
    }
    replaced
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_file_system_on_a_device_is_noticed_once() {
        let of = |id| FileSystem {
            id,
            kind: b"ext4".to_vec(),
            source: b"/dev/loop0".to_vec(),
        };
        let mut known = Known::new();
        let mut look = |id| replaced(&mut known, [((7, 0), &of(id))].into_iter());
        assert!(look(1).is_empty());
        assert!(look(1).is_empty());
        assert_eq!(look(2), HashSet::from([(7, 0)]));
        assert!(look(2).is_empty());
    }
}
