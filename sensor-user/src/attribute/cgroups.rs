//! From the kernel's cgroup id to the path, also for a process that is gone: the id is the inode of the cgroup's directory.

use std::{
    collections::HashMap,
    fs,
    os::{
        fd::{AsFd as _, AsRawFd as _},
        unix::{
            ffi::OsStrExt as _,
            fs::{DirEntryExt as _, MetadataExt as _},
        },
    },
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use crate::{decode::display, kernel::FileHandle};

/// Paths kept. At the bound the cache is emptied and filled anew.
pub const CACHE_MAX: usize = 16_384;

/// Cgroups looked at in one walk; more are left out and found by the next.
const WALK_MAX: usize = CACHE_MAX;

/// Between two walks, at least: each reads every directory.
const WALK_PAUSE: Duration = Duration::from_millis(250);

/// The cgroup v2 tree.
#[derive(Debug)]
pub struct Cgroups {
    /// Where it is mounted; nothing where it is not.
    root: Option<PathBuf>,
    paths: HashMap<u64, String>,
    walked: Option<Instant>,
}

impl Cgroups {
    /// Finds the mount of cgroup v2.
    #[must_use]
    pub fn find() -> Self {
        let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
        Self::at(mount_point(&mounts))
    }

    /// The tree at `root`.
    #[must_use]
    pub fn at(root: Option<PathBuf>) -> Self {
        Self {
            root,
            paths: HashMap::new(),
            walked: None,
        }
    }

    /// Where the tree is mounted.
    #[must_use]
    pub fn root(&self) -> Option<&Path> {
        self.root.as_deref()
    }

    /// How many paths are remembered.
    #[must_use]
    pub fn len(&self) -> usize {
        self.paths.len()
    }

    /// Whether none is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.paths.is_empty()
    }

    /// The path below the root, or why it is not known.
    ///
    /// # Errors
    /// A reason for [`claviger_proto::v1::Process::unknown_reason`].
    pub fn path_of(&mut self, id: u64) -> Result<&str, &'static str> {
        let Some(root) = self.root.clone() else {
            return Err("cgroup v2 is not mounted");
        };
        if !self.paths.contains_key(&id) {
            if self.paths.len() >= CACHE_MAX {
                self.paths.clear();
            }
            // Where one is new, others may be, and be gone before anything in them is told.
            if self.walked.is_none_or(|at| at.elapsed() >= WALK_PAUSE) {
                self.walk(&root);
                self.walked = Some(Instant::now());
            }
            if !self.paths.contains_key(&id)
                && let Some(path) = by_handle(&root, id)
            {
                self.paths.insert(id, path);
            }
        }
        self.paths
            .get(&id)
            .map(String::as_str)
            .ok_or("its cgroup was removed before it was looked at")
    }

    /// Ids and paths of all cgroups of this moment. Those removed since stay, for what ran in them may still be reported.
    fn walk(&mut self, root: &Path) {
        if let Ok(metadata) = fs::metadata(root) {
            self.paths.insert(metadata.ino(), "/".to_owned());
        }
        let mut waiting = vec![root.to_owned()];
        let mut seen = 0;
        while let Some(directory) = waiting.pop() {
            for entry in fs::read_dir(&directory).into_iter().flatten().flatten() {
                if seen >= WALK_MAX || !entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                    continue;
                }
                seen += 1;
                let path = entry.path();
                if let Ok(below) = path.strip_prefix(root) {
                    self.paths
                        .insert(entry.ino(), format!("/{}", display(below.as_os_str().as_bytes())));
                }
                waiting.push(path);
            }
        }
    }
}

/// The path of one cgroup below the root; nothing where it is not there any more, or is not found by its id.
fn by_handle(root: &Path, id: u64) -> Option<String> {
    let directory = fs::File::open(root).ok()?;
    let cgroup = FileHandle::of_cgroup(id).hold(directory.as_fd()).ok()?;
    let path = fs::read_link(format!("/proc/self/fd/{}", cgroup.as_raw_fd())).ok()?;
    // One that was removed while it was looked at has a word behind its path, and is not there.
    let is_it = fs::metadata(&path).is_ok_and(|there| there.ino() == id);
    let below = path.strip_prefix(root).ok()?;
    is_it.then(|| format!("/{}", display(below.as_os_str().as_bytes())))
}

/// The first mount of type cgroup2 in mountinfo (proc_pid_mountinfo(5)), unescaped.
fn mount_point(mountinfo: &str) -> Option<PathBuf> {
    mountinfo.lines().find_map(|line| {
        let (before, after) = line.split_once(" - ")?;
        after
            .starts_with("cgroup2 ")
            .then(|| before.split(' ').nth(4).map(unescape))?
    })
}

/// mountinfo writes space, tab, line end and backslash as three octal digits.
fn unescape(field: &str) -> PathBuf {
    let mut text = field.to_owned();
    for (code, character) in [("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")] {
        text = text.replace(code, character);
    }
    PathBuf::from(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mount_is_found_beside_version_one() {
        let text = "30 23 0:26 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755\n\
                    31 30 0:27 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n\
                    32 30 0:28 / /sys/fs/cgroup/uni\\040fied rw - cgroup2 cgroup2 rw\n";
        assert_eq!(mount_point(text), Some(PathBuf::from("/sys/fs/cgroup/uni fied")));
        assert_eq!(mount_point("31 30 0:27 / /x rw - cgroup cgroup rw,cpu\n"), None);
    }

    #[test]
    fn a_directory_is_found_by_its_inode() {
        let root = tempfile::tempdir().expect("a directory");
        let unit = root.path().join("system.slice/x.service");
        fs::create_dir_all(&unit).expect("made");
        let id = fs::metadata(&unit).expect("there").ino();
        let mut cgroups = Cgroups::at(Some(root.path().to_owned()));
        assert_eq!(cgroups.path_of(id), Ok("/system.slice/x.service"));
        fs::remove_dir(&unit).expect("removed");
        assert_eq!(
            cgroups.path_of(id),
            Ok("/system.slice/x.service"),
            "what ran in it can still be named"
        );
        assert!(cgroups.path_of(u64::MAX).is_err());
    }

    #[test]
    fn cgroups_that_are_made_one_after_the_other_are_all_found() {
        let mut cgroups = Cgroups::find();
        let Some(root) = cgroups.root().map(Path::to_owned) else {
            return;
        };
        let made: Vec<_> = (0..3)
            .map(|number| format!("cgroups-test-{}-{number}", std::process::id()))
            .collect();
        for name in &made {
            let directory = root.join(name);
            if let Err(error) = fs::create_dir(&directory) {
                eprintln!("not tested: {}: {error}", directory.display());
                return;
            }
            let id = fs::metadata(&directory).expect("there").ino();
            let found = cgroups.path_of(id).map(str::to_owned);
            fs::remove_dir(&directory).expect("removed");
            assert_eq!(found.as_deref(), Ok(&*format!("/{name}")));
        }
    }

    #[test]
    fn without_the_tree_the_reason_is_told() {
        assert_eq!(Cgroups::at(None).path_of(1), Err("cgroup v2 is not mounted"));
    }
}
