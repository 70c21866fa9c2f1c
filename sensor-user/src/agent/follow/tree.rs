//! Which tree of files a thread saw when it gave a path, and whether it still sees that: by its mount namespace, and the mount and directory of its root.

use std::os::fd::OwnedFd;

use claviger_sensor_common::{ROOT_IS_TOP, RootPlace};
use rustix::fs::{AtFlags, StatxAttributes, StatxFlags, fstatfs, statx};

use crate::{agent::seen_from::SeenFrom, attribute::ProcessDirectory};

/// include/uapi/linux/magic.h
const OVERLAYFS_SUPER_MAGIC: i64 = 0x794c_7630;
/// include/uapi/linux/stat.h (6.8)
const STATX_MNT_ID_UNIQUE: u32 = 0x4000;

/// The tree of files that a thread sees.
#[derive(Clone, Copy, Debug)]
pub(in crate::agent) struct Tree {
    /// In which mount namespace it is.
    pub(in crate::agent) mount_namespace: u32,
    /// What its root is there.
    pub(in crate::agent) root: RootPlace,
}

impl Tree {
    /// The sensor's.
    pub(in crate::agent) fn own() -> Option<Self> {
        Some(Self {
            mount_namespace: ProcessDirectory::own()?.namespace("mnt")?,
            root: Seen::of(&SeenFrom::Here.hold()?)?.place,
        })
    }
}

/// The root of a thread.
pub(super) enum Root {
    Here(OwnedFd),
    /// It sees another tree by now.
    Left,
    /// It is not there, or ending: then it has none any more.
    Gone,
}

impl Root {
    /// Its mount namespace is asked for after the root: what it left since is not told from it before.
    pub(super) fn of(thread: &ProcessDirectory, root: Option<OwnedFd>, tree: Tree) -> Self {
        match (root, thread.namespace("mnt")) {
            (_, Some(namespace)) if namespace != tree.mount_namespace => Self::Left,
            (Some(root), Some(_)) if is_at(&root, tree.root) => Self::Here(root),
            (Some(_), Some(_)) => Self::Left,
            _ => Self::Gone,
        }
    }
}

/// A root as statx(2) has it.
struct Seen {
    place: RootPlace,
    /// Of an overlay its number can be another to the kernel half.
    is_of_overlay: bool,
}

impl Seen {
    fn of(root: &OwnedFd) -> Option<Self> {
        let unique = StatxFlags::from_bits_retain(STATX_MNT_ID_UNIQUE);
        let asked = StatxFlags::INO | StatxFlags::MNT_ID | unique;
        let seen = statx(root, "", AtFlags::EMPTY_PATH, asked).ok()?;
        let known = StatxFlags::from_bits_retain(seen.stx_mask);
        let is_top = seen.stx_attributes.contains(StatxAttributes::MOUNT_ROOT);
        known.intersects(StatxFlags::MNT_ID | unique).then(|| Self {
            place: RootPlace {
                mount: seen.stx_mnt_id | if is_top { ROOT_IS_TOP } else { 0 },
                inode: seen.stx_ino,
            },
            is_of_overlay: fstatfs(root).is_ok_and(|system| system.f_type == OVERLAYFS_SUPER_MAGIC),
        })
    }

    fn is(&self, place: RootPlace) -> bool {
        let is_known_by_mount = self.is_of_overlay && place.mount & ROOT_IS_TOP != 0;
        self.place.mount == place.mount && (self.place.inode == place.inode || is_known_by_mount)
    }
}

/// Whether a root is still this.
pub(super) fn is_at(root: &OwnedFd, place: RootPlace) -> bool {
    Seen::of(root).is_some_and(|seen| seen.is(place))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_an_overlay_s_root_the_mount_tells() {
        let place = |mount, inode| RootPlace { mount, inode };
        for (is_of_overlay, mount, is_same) in [
            (true, 7 | ROOT_IS_TOP, true),
            (true, 7, false),
            (false, 7 | ROOT_IS_TOP, false),
        ] {
            let seen = Seen {
                place: place(mount, 2),
                is_of_overlay,
            };
            assert_eq!(seen.is(place(mount, 3)), is_same);
            assert!(seen.is(place(mount, 2)) && !seen.is(place(mount + 1, 2)));
        }
    }
}
