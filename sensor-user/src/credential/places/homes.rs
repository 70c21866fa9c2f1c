//! Which homes there are: from the user database, by habit, and from the configuration.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::fs::File;
use std::io::Read as _;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{Dir, Mode, OFlags, ResolveFlags};

use super::mounts::{Mounts, Served};
use super::names;
use crate::credential::open::open_candidate;

/// Entries of /home that are read, at most.
const LISTED_MAX: usize = 65_536;
/// Bytes of /etc/passwd that are read, at most.
const MAX_PASSWD_BYTES: u64 = 4 * 1024 * 1024;

/// A user's home: an absolute path without `.` and `..`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Home {
    path: PathBuf,
}

impl Home {
    /// A home at this path; nothing where it is not absolute.
    #[must_use]
    pub fn new(path: &Path) -> Option<Self> {
        let names = names(path.as_os_str().as_bytes())?;
        let mut clean = PathBuf::from("/");
        clean.extend(names.iter().map(|name| OsStr::from_bytes(name)));
        Some(Self { path: clean })
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The path as `below_homes` builds it: empty for the root.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let bytes = self.path.as_os_str().as_bytes();
        if bytes == b"/" { Vec::new() } else { bytes.to_vec() }
    }
}

/// The homes of the host whose root is at `root`: those in its /etc/passwd, /root, all of /home, and `extra`, which are paths as seen from
/// that root. [`super::Places`] takes so many of them. What cannot be read is passed over: a host without /etc/passwd has the other homes.
#[must_use]
pub fn homes(root: &Path, extra: &[PathBuf]) -> Vec<Home> {
    let mut found: Vec<Home> = passwd(&read_passwd(root));
    found.extend(Home::new(Path::new("/root")));
    let below_home = std::fs::read_dir(root.join("home"))
        .into_iter()
        .flatten()
        .filter_map(Result::ok)
        .take(LISTED_MAX);
    found.extend(below_home.filter_map(|entry| Home::new(&Path::new("/home").join(entry.file_name()))));
    found.splice(0..0, extra.iter().filter_map(|path| Home::new(path)));
    let mut seen = HashSet::new();
    found.retain(|home| seen.insert(home.clone()));
    found
}

/// The homes of a container: `extra`, those in its /etc/passwd, /root, and all of /home, below a root that is held. Its mounts are looked at
/// first: what a program of some user or another host serves is not asked. Each path is told before it is touched, and is not where it may not be.
#[must_use]
pub fn homes_of(
    root: &OwnedFd,
    mountinfo: &[u8],
    extra: &[PathBuf],
    step: &dyn Fn(&Path) -> bool,
) -> Vec<Home> {
    let mounts = Mounts::parse(mountinfo);
    let is_served = |path: &str| {
        let ancestors = Path::new(path).ancestors();
        let served = ancestors.filter_map(|at| mounts.at(at)).next().flatten();
        matches!(served, Some(Served::Program | Served::Network))
    };
    let mut found: Vec<Home> = extra.iter().filter_map(|path| Home::new(path)).collect();
    if !is_served("/etc/passwd")
        && step(Path::new("/etc/passwd"))
        && let Ok(file) = open_candidate(root, Path::new("/etc/passwd"))
    {
        let mut content = Vec::new();
        // What was read before an error is still true.
        let _ = File::from(file).take(MAX_PASSWD_BYTES).read_to_end(&mut content);
        found.extend(passwd(&content));
    }
    found.extend(Home::new(Path::new("/root")));
    if !is_served("/home") && step(Path::new("/home")) {
        found.extend(listed(root));
    }
    let mut seen = HashSet::new();
    found.retain(|home| seen.insert(home.clone()));
    found
}

fn listed(root: &OwnedFd) -> Vec<Home> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
    let home = rustix::fs::openat2(root, "/home", flags, Mode::empty(), resolve);
    let Ok(listing) = home.and_then(Dir::new) else {
        return Vec::new();
    };
    let names = listing
        .filter_map(Result::ok)
        .map(|entry| entry.file_name().to_owned());
    // Bounded before it is chosen from: who serves the directory can give `.` without end.
    names
        .take(LISTED_MAX + 2)
        .filter(|name| !matches!(name.as_bytes(), b"." | b".."))
        .filter_map(|name| Home::new(&Path::new("/home").join(OsStr::from_bytes(name.as_bytes()))))
        .collect()
}

fn read_passwd(root: &Path) -> Vec<u8> {
    let mut content = Vec::new();
    if let Ok(file) = File::open(root.join("etc/passwd")) {
        // What was read before an error is still true.
        let _ = file.take(MAX_PASSWD_BYTES).read_to_end(&mut content);
    }
    content
}

/// The sixth field of each line. Lines that have none are passed over.
fn passwd(content: &[u8]) -> Vec<Home> {
    content
        .split(|byte| *byte == b'\n')
        .filter_map(|line| line.split(|byte| *byte == b':').nth(5))
        .filter_map(|home| Home::new(Path::new(OsStr::from_bytes(home))))
        .collect()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use proptest::prelude::*;

    use super::*;

    fn paths(homes: &[Home]) -> Vec<&str> {
        homes
            .iter()
            .map(|home| home.path().to_str().expect("text"))
            .collect()
    }

    #[test]
    fn homes_come_from_all_three_sources_once() {
        let root = tempfile::tempdir().expect("a folder");
        fs::create_dir_all(root.path().join("home/ann")).expect("made");
        fs::create_dir_all(root.path().join("etc")).expect("made");
        fs::write(
            root.path().join("etc/passwd"),
            "root:x:0:0::/root:/bin/sh\nann:x:1:1::/home/ann/:/bin/sh\n# note\nbad:x\nrel:x:1:1::home:/x\nsvc:x:9:9::/srv/./svc:/x\n",
        )
        .expect("written");
        let found = homes(
            root.path(),
            &[PathBuf::from("/extra"), PathBuf::from("not/absolute")],
        );
        assert_eq!(paths(&found), ["/extra", "/root", "/home/ann", "/srv/svc"]);
    }

    #[test]
    fn a_host_without_users_still_has_root() {
        let root = tempfile::tempdir().expect("a folder");
        assert_eq!(paths(&homes(root.path(), &[])), ["/root"]);
    }

    proptest! {
        #[test]
        fn any_passwd_is_read(content in proptest::collection::vec(any::<u8>(), 0..500)) {
            for home in passwd(&content) {
                prop_assert!(home.path().is_absolute());
            }
        }
    }
}
