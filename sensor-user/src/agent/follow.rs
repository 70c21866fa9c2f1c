//! A path, followed as another process would: from its root, in its mounts, through symbolic links, and through those links of procfs that lead to
//! what a process holds. The kernel can be asked to do so for a path below a root, but leaves out such links, and would take `self` for the
//! sensor.
//!
//! It touches files, so it is for hands only. At most [`LINKS_MAX`] links and [`STEPS_MAX`] names are followed. What another thread of the process, or
//! its end, has changed since is followed as it is now.

use std::{
    collections::VecDeque,
    ffi::{OsStr, OsString},
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::ffi::{OsStrExt as _, OsStringExt as _},
    },
    path::{Component, Path},
};

use rustix::{
    fs::{FileType, Mode, OFlags, Stat, fstat, fstatfs, openat, readlinkat},
    io::Errno,
};

use crate::{
    agent::seen_from::SeenFrom,
    attribute::{ProcessDirectory, is_own_mount_namespace, root_of},
    credential::{Held, OpenError},
    decode::ProcessKey,
};

/// As many as the kernel follows.
const LINKS_MAX: usize = 40;
/// Names of a path of 4,096 bytes, and as many more by links.
const STEPS_MAX: usize = 8_192;
/// include/uapi/linux/magic.h
const PROC_SUPER_MAGIC: i64 = 0x9fa0;
/// include/linux/proc_ns.h
const PROC_ROOT_INODE: u64 = 1;

/// What lies at an absolute path for a process, held without being opened. Once the process is gone, for the sensor, if it was in the sensor's mounts.
///
/// # Errors
/// [`OpenError`], also where nobody can tell any more.
pub(super) fn follow(process: ProcessKey, mount_namespace: u32, path: &Path) -> Result<Held, OpenError> {
    let (root, itself) = match (root_of(process), ProcessDirectory::of(process.pid)) {
        (Some(root), Some(itself)) => (root, Some(itself)),
        _ if is_own_mount_namespace(mount_namespace) => (SeenFrom::Here.hold().ok_or(OpenError::Gone)?, None),
        _ => return Err(OpenError::Gone),
    };
    let itself = || itself.as_ref()?.hold(".");
    Held::of(from_root(&root, &itself, path).map_err(OpenError::looking)?)
}

fn from_root(root: &OwnedFd, itself: &dyn Fn() -> Option<OwnedFd>, path: &Path) -> Result<OwnedFd, Errno> {
    let mut rest = VecDeque::new();
    put_before(&mut rest, path.as_os_str());
    let mut at = root.try_clone().map_err(|_| Errno::MFILE)?;
    let (mut links, mut steps) = (0, 0);
    while let Some(name) = rest.pop_front() {
        steps += 1;
        if steps > STEPS_MAX {
            return Err(Errno::NAMETOOLONG);
        }
        if name == "/" {
            at = root.try_clone().map_err(|_| Errno::MFILE)?;
            continue;
        }
        if name == ".." && is_same(&fstat(&at)?, &fstat(root)?) {
            continue;
        }
        let next = hold(at.as_fd(), &name, OFlags::NOFOLLOW)?;
        if FileType::from_raw_mode(fstat(&next)?.st_mode) != FileType::Symlink {
            at = next;
            continue;
        }
        links += 1;
        if links > LINKS_MAX {
            return Err(Errno::LOOP);
        }
        if fstatfs(&next)?.f_type != PROC_SUPER_MAGIC {
            let text = readlinkat(&next, "", Vec::new())?.into_bytes();
            put_before(&mut rest, &OsString::from_vec(text));
        } else if fstat(&at)?.st_ino != PROC_ROOT_INODE {
            // It leads to what a process holds.
            at = hold(at.as_fd(), &name, OFlags::empty())?;
        } else if name == "self" || name == "thread-self" {
            at = itself().ok_or(Errno::SRCH)?;
        } else {
            // `mounts` and `net` lead through `self`.
            let text = readlinkat(&next, "", Vec::new())?.into_bytes();
            put_before(&mut rest, &OsString::from_vec(text));
        }
    }
    Ok(at)
}

/// Puts the names of a path before what is left.
fn put_before(rest: &mut VecDeque<OsString>, path: &OsStr) {
    // What comes before has to be a directory.
    if path.as_bytes().ends_with(b"/") || path.as_bytes().ends_with(b"/.") {
        rest.push_front(OsString::from("."));
    }
    for component in Path::new(path).components().rev() {
        if component != Component::CurDir {
            rest.push_front(component.as_os_str().to_owned());
        }
    }
}

fn hold(at: BorrowedFd<'_>, name: &OsStr, how: OFlags) -> Result<OwnedFd, Errno> {
    openat(at, name, OFlags::PATH | OFlags::CLOEXEC | how, Mode::empty())
}

fn is_same(one: &Stat, other: &Stat) -> bool {
    (one.st_dev, one.st_ino) == (other.st_dev, other.st_ino)
}

#[cfg(test)]
mod tests {
    use std::{
        fs::{self, File},
        os::unix::fs::{MetadataExt as _, symlink},
    };

    use super::*;

    fn inode(held: Result<OwnedFd, Errno>) -> Result<u64, Errno> {
        Ok(fstat(held?)?.st_ino)
    }

    #[test]
    fn links_are_followed_within_the_root() {
        let directory = tempfile::tempdir().expect("a directory");
        let at = |name: &str| directory.path().join(name);
        fs::create_dir_all(at("home/deep")).expect("made");
        fs::write(at("home/key"), "x").expect("written");
        symlink("/home/key", at("absolute")).expect("linked");
        symlink("../key", at("home/deep/up")).expect("linked");
        symlink("home/deep", at("directory")).expect("linked");
        symlink("loop", at("loop")).expect("linked");
        let root = OwnedFd::from(File::open(directory.path()).expect("the root"));
        let key = fs::metadata(at("home/key")).expect("there").ino();
        let reach = |path: &str| inode(from_root(&root, &|| None, Path::new(path)));
        for path in [
            "/home/key",
            "/absolute",
            "/directory/up",
            "/home/./deep/../key",
            "/../../home/key",
        ] {
            assert_eq!(reach(path), Ok(key), "{path}");
        }
        assert_eq!(reach("/loop"), Err(Errno::LOOP));
        assert_eq!(reach("/nothing"), Err(Errno::NOENT));
        assert_eq!(reach("/home/key/below"), Err(Errno::NOTDIR));
    }

    #[test]
    fn what_ends_with_a_slash_has_to_be_a_directory() {
        let directory = tempfile::tempdir().expect("a directory");
        let at = |name: &str| directory.path().join(name);
        fs::create_dir(at("home")).expect("made");
        fs::write(at("home/key"), "x").expect("written");
        symlink("./", at("home/here")).expect("linked");
        symlink("key/", at("home/slash")).expect("linked");
        let root = OwnedFd::from(File::open(directory.path()).expect("the root"));
        let (top, home) = (fs::metadata(at(".")), fs::metadata(at("home")));
        let (top, home) = (top.expect("there").ino(), home.expect("there").ino());
        let reach = |path: &str| inode(from_root(&root, &|| None, Path::new(path)));
        for (path, inode) in [
            ("/", top),
            ("/home/", home),
            ("/home/here", home),
            ("/home/here/.", home),
        ] {
            assert_eq!(reach(path), Ok(inode), "{path}");
        }
        for path in ["/home/key/", "/home/key/.", "/home/slash"] {
            assert_eq!(reach(path), Err(Errno::NOTDIR), "{path}");
        }
    }

    #[test]
    fn links_of_procfs_lead_to_what_the_process_holds() {
        let own = std::process::id();
        let root = OwnedFd::from(File::open("/").expect("the root"));
        let itself = || ProcessDirectory::of(own)?.hold(".");
        let reach = |path: &str| inode(from_root(&root, &itself, Path::new(path)));
        let here = fs::metadata(".").expect("there").ino();
        for path in [
            "/proc/self/cwd",
            "/proc/thread-self/cwd/.",
            &format!("/proc/{own}/cwd"),
            "/proc/self/root/proc/self/cwd",
        ] {
            assert_eq!(reach(path), Ok(here), "{path}");
        }
        let file = tempfile::NamedTempFile::new().expect("a file");
        let descriptor = std::os::fd::AsRawFd::as_raw_fd(file.as_file());
        let inode = file.as_file().metadata().expect("there").ino();
        assert_eq!(reach(&format!("/proc/self/fd/{descriptor}")), Ok(inode));
    }
}
