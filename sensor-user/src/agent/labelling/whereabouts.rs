//! Where files lie by now that are known by their history only.

use std::{
    collections::HashSet,
    fs::File,
    os::fd::{AsFd as _, AsRawFd as _, BorrowedFd},
    path::{Path, PathBuf},
};

use claviger_sensor_common::ObjectKey;
use rustix::{
    fs::{Mode, OFlags},
    io::Errno,
};

use crate::{
    agent::{
        hands::Progress,
        remembered::{FileSystems, History, RememberedOne, device_of},
    },
    credential::{Held, Seen},
    kernel::FileHandle,
};

/// What is known of where a file lies.
#[derive(Clone, Debug)]
pub(super) enum Fate {
    /// There, when it was looked at last.
    There(Box<RememberedOne>),
    /// Nowhere where it could be found, nor will it be.
    Nowhere,
}

/// What is to be looked at.
pub(super) struct Look {
    pub(super) object: ObjectKey,
    pub(super) seen: Seen,
    pub(super) history: History,
    pub(super) entry: String,
    pub(super) path: PathBuf,
    pub(super) at: PathBuf,
    pub(super) handle: Option<FileHandle>,
    pub(super) before: Option<Box<RememberedOne>>,
}

/// Looks at all of them. Those are left out of which nothing is known.
pub(super) fn look(looks: Vec<Look>, progress: &Progress) -> Vec<(ObjectKey, Fate)> {
    let devices: HashSet<_> = looks.iter().map(|look| device_of(look.object)).collect();
    let systems = FileSystems::look(
        |mounted| devices.contains(&mounted.device),
        |path| progress.step(path),
    );
    let Ok(root) = File::open("/") else {
        return Vec::new();
    };
    let mut fates = Vec::new();
    for look in looks {
        let object = look.object;
        if let Some(fate) = fate(look, &systems, root.as_fd(), progress) {
            fates.push((object, fate));
        }
    }
    fates
}

/// What became of one: as it was, where its file system is not mounted any more, or not touched now. Nothing where that is not known either.
fn fate(look: Look, systems: &FileSystems, root: BorrowedFd<'_>, progress: &Progress) -> Option<Fate> {
    let unsure = || look.before.clone().map(Fate::There);
    let Some(file_system) = systems.of(look.object).cloned() else {
        return unsure();
    };
    let mut found = None;
    if let Some(handle) = &look.handle {
        for mount in systems.mounts_of(&file_system) {
            if !progress.step(mount) {
                return unsure();
            }
            if let Ok(held) = hold(handle, mount)
                && held.seen().inode == look.object.inode
            {
                found = Some(held);
                break;
            }
        }
    }
    let by_handle = found.is_some();
    if found.is_none() {
        if !progress.step(&look.at) {
            return unsure();
        }
        found = Held::at(root, &look.at)
            .ok()
            .filter(|held| held.seen() == look.seen);
    }
    let Some(held) = found else {
        return Some(Fate::Nowhere);
    };
    let Ok(now) = rustix::fs::fstat(held.descriptor()) else {
        return unsure();
    };
    // Without a name it may get one again (linkat of what is open), and is to be had as long as somebody has it open.
    if now.st_nlink == 0 && !by_handle {
        return unsure();
    }
    Some(Fate::There(Box::new(RememberedOne {
        history: look.history,
        inode: look.object.inode,
        generation: look.object.generation,
        born: held.seen().born,
        // As it is now: a label stays on what is written to while it is watched.
        size: held.size_bytes(),
        modified: held.modified(),
        file_system,
        handle: look.handle.filter(|_| by_handle),
        entry: look.entry,
        path: look.path,
        at: path_of(&held, root).unwrap_or(look.at),
    })))
}

/// Finds a file by its handle, on the file system that is mounted there.
pub(super) fn hold(handle: &FileHandle, mount: &Path) -> Result<Held, Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let mount = rustix::fs::open(mount, flags, Mode::empty())?;
    Held::of(handle.hold(mount.as_fd())?).map_err(|_| Errno::STALE)
}

/// By which path a file can be reached that is held, where the kernel knows one.
pub(super) fn path_of(held: &Held, root: BorrowedFd<'_>) -> Option<PathBuf> {
    let link = format!("/proc/self/fd/{}", held.descriptor().as_raw_fd());
    let path = std::fs::read_link(link).ok()?;
    let is_it = path.is_absolute() && Held::at(root, &path).is_ok_and(|there| there.seen() == held.seen());
    is_it.then_some(path)
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::MetadataExt as _};

    use rustix::fs::{major, minor};

    use super::*;

    struct Made {
        directory: tempfile::TempDir,
        object: ObjectKey,
        seen: Seen,
        handle: Option<FileHandle>,
    }

    /// A file, as it was labelled.
    fn made() -> Made {
        let directory = tempfile::tempdir_in("/var/tmp").expect("a directory");
        let path = directory.path().join("copy");
        fs::write(&path, "a decoy").expect("written");
        let held = held(&path);
        let device = fs::metadata(&path).expect("there").dev();
        Made {
            object: ObjectKey {
                device: major(device) << 20 | minor(device),
                inode: held.seen().inode,
                generation: 0,
            },
            seen: held.seen(),
            handle: FileHandle::of(held.descriptor()).ok(),
            directory,
        }
    }

    fn held(path: &Path) -> Held {
        Held::at(File::open("/").expect("a root"), path).expect("there")
    }

    fn fate_of(made: &Made, at: &Path, handle: Option<FileHandle>, before: Option<Fate>) -> Option<Fate> {
        let look = Look {
            object: made.object,
            seen: made.seen,
            history: History::Copy,
            entry: "entry".into(),
            path: "/first".into(),
            at: at.to_owned(),
            handle,
            before: match before {
                Some(Fate::There(before)) => Some(before),
                _ => None,
            },
        };
        let progress = Progress::untold();
        let device = device_of(made.object);
        let systems = FileSystems::look(|mounted| mounted.device == device, |_| true);
        let root = File::open("/").expect("a root");
        fate(look, &systems, root.as_fd(), &progress)
    }

    #[test]
    fn where_a_file_lies_is_told_until_it_is_nowhere() {
        let made = made();
        let [copy, moved] = ["copy", "moved"].map(|name| made.directory.path().join(name));
        let there = |fate: Option<Fate>| match fate {
            Some(Fate::There(one)) => *one,
            fate => panic!("{fate:?}"),
        };
        let nowhere = |fate| matches!(fate, Some(Fate::Nowhere));
        let first = fate_of(&made, &copy, None, None);
        let one = there(first.clone());
        assert_eq!(
            (one.at.as_path(), one.size, one.handle),
            (copy.as_path(), 7, None)
        );
        fs::write(&copy, "longer than it was").expect("written");
        let again = there(fate_of(&made, &copy, None, first.clone()));
        assert_eq!(again.size, 18, "what it is while it is watched");

        fs::rename(&copy, &moved).expect("moved");
        assert!(
            nowhere(fate_of(&made, &copy, None, first.clone())),
            "by its path alone"
        );
        let root = File::open("/").expect("a root");
        let by_handle = made
            .handle
            .clone()
            .filter(|handle| handle.hold(root.as_fd()).is_ok());
        if let Some(handle) = by_handle {
            let one = there(fate_of(&made, &copy, Some(handle.clone()), first.clone()));
            assert_eq!((one.at, one.handle.as_ref()), (moved.clone(), Some(&handle)));
            fs::write(&copy, "another in its place").expect("written");
            let one = there(fate_of(&made, &copy, Some(handle.clone()), first.clone()));
            assert_eq!(one.at, moved);
            let open = File::open(&moved).expect("there");
            fs::remove_file(&moved).expect("removed");
            let has_no_name = fate_of(&made, &copy, Some(handle.clone()), first.clone());
            there(has_no_name);
            drop(open);
            assert!(nowhere(fate_of(&made, &copy, Some(handle), first.clone())));
        }
        let mut elsewhere = made;
        elsewhere.object.device = u32::MAX;
        assert!(
            fate_of(&elsewhere, &copy, None, None).is_none(),
            "nothing is mounted there"
        );
        assert!(matches!(
            fate_of(&elsewhere, &copy, None, first),
            Some(Fate::There(_))
        ));
    }
}
