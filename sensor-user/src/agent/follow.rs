//! A path, followed as a thread of another process would: from its root, in its mounts, through symbolic links, and through those links of procfs that lead to
//! what a process holds. The kernel can be asked to do so for a path below a root, but leaves out such links, and would take `self` for the
//! sensor.
//!
//! It touches files, so it is for hands only. At most [`LINKS_MAX`] links and [`STEPS_MAX`] names are followed. What another thread of the process, or
//! its end, has changed since is followed as it is now. So of every directory and link on the way the time of its last change is noted: where all were as
//! they are now when the path was used, it led then where it leads now. Not told by that is what was mounted over one of them since.

mod tree;

use std::{
    collections::VecDeque,
    ffi::{OsStr, OsString},
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::ffi::{OsStrExt as _, OsStringExt as _},
    },
    path::{Component, Path},
    time::{Duration, SystemTime},
};

use rustix::{
    fs::{FileType, Mode, OFlags, Stat, fstat, fstatfs, openat, readlinkat},
    io::Errno,
};

use crate::{
    agent::seen_from::SeenFrom,
    attribute::{ProcessDirectory, is_own_mount_namespace, root_of, thread_of},
    credential::Held,
    decode::ProcessKey,
};

pub(super) use self::tree::Tree;
use self::tree::{Root, is_at};

/// As many as the kernel follows.
const LINKS_MAX: usize = 40;
/// Names of a path of 4,096 bytes, and as many more by links.
const STEPS_MAX: usize = 8_192;
/// include/uapi/linux/magic.h
const PROC_SUPER_MAGIC: i64 = 0x9fa0;
/// include/linux/proc_ns.h
const PROC_ROOT_INODE: u64 = 1;

/// A change less than this before a time may have come after it: the clock of file systems goes in ticks, of ten milliseconds at most.
const CLOCK_MARGIN: Duration = Duration::from_millis(20);

/// Where a path leads.
pub(super) enum Leads {
    /// To this, which is held without being opened.
    To(Held),
    /// Nothing lies there.
    Nowhere,
    /// Nobody can tell, or not any more.
    Unknown,
}

/// A path that was followed.
pub(super) struct Followed {
    /// Where it leads.
    pub(super) leads: Leads,
    way: Way,
}

impl Followed {
    /// Whether all that it goes through was at this time, by the wall clock, as it is now.
    pub(super) fn stood_at(&self, time: SystemTime) -> bool {
        !self.way.is_held && self.way.changed + CLOCK_MARGIN < time
    }
}

/// What was gone through.
struct Way {
    /// When the directory or link was changed that was changed last.
    changed: SystemTime,
    /// Something that a process holds is on it, which can be replaced without a trace.
    is_held: bool,
    /// The directory in which its last step was found; nothing where that is a root, or what a process holds.
    lies_in: Option<OwnedFd>,
}

impl Way {
    fn new() -> Self {
        Self {
            changed: SystemTime::UNIX_EPOCH,
            is_held: false,
            lies_in: None,
        }
    }

    /// A directory or link was gone through. In procfs nothing can be put in another's place, and times are those of the first look.
    fn through(&mut self, at: &OwnedFd) -> Result<(), Errno> {
        if fstatfs(at)?.f_type == PROC_SUPER_MAGIC {
            return Ok(());
        }
        let stat = fstat(at)?;
        self.changed = self
            .changed
            .max(time(stat.st_mtime, stat.st_mtime_nsec))
            .max(time(stat.st_ctime, stat.st_ctime_nsec));
        Ok(())
    }
}

/// A time as stat(2) has it; the epoch for one before it.
fn time(seconds: i64, nanoseconds: u64) -> SystemTime {
    let since = Duration::from_secs(u64::try_from(seconds).unwrap_or_default());
    let since = since.saturating_add(Duration::from_nanos(nanoseconds));
    // One that the clock has no room for comes after every other.
    let latest = Duration::from_secs(u64::from(u32::MAX) << 2);
    SystemTime::UNIX_EPOCH + since.min(latest)
}

impl Followed {
    /// The directory that it leads into, where what it leads to lies in one.
    pub(super) fn lies_in(&mut self) -> Option<OwnedFd> {
        self.way.lies_in.take()
    }
}

/// Where an absolute path leads for a thread of a process, which can have a root and mounts of its own, as long as it sees the tree that it
/// saw. Once only the thread is gone, for its process; once that is gone, for the sensor, if it saw what the sensor sees.
///
/// One `from_outside` of that begins at the sensor's root.
pub(super) fn follow(process: ProcessKey, tid: u32, tree: Tree, path: &Path, from_outside: bool) -> Followed {
    let mut way = Way::new();
    let thread = thread_of(process, tid);
    let itself = root_of(process).and_then(|root| Some((root, ProcessDirectory::of(process.pid)?)));
    let of_thread = thread
        .as_ref()
        .map_or(Root::Gone, |thread| Root::of(thread, thread.hold("root"), tree));
    let of_process = || {
        let (root, process) = itself.as_ref()?;
        Some(Root::of(process, root.try_clone().ok(), tree))
    };
    let root = match of_thread {
        Root::Gone => of_process().unwrap_or(Root::Gone),
        there => there,
    };
    let root = match root {
        Root::Here(root) => Some(root),
        Root::Gone if is_own_mount_namespace(tree.mount_namespace) => {
            SeenFrom::Here.hold().filter(|own| is_at(own, tree.root))
        }
        Root::Gone | Root::Left => None,
    };
    let itself = |name: &OsStr| match name.as_bytes() {
        b"thread-self" => thread.as_ref()?.hold("."),
        _ => itself.as_ref()?.1.hold("."),
    };
    let start = if from_outside {
        SeenFrom::Here.hold()
    } else {
        root.as_ref().and_then(|root| root.try_clone().ok())
    };
    let leads = start.zip(root).map_or(Leads::Unknown, |(start, root)| {
        match from_start(start, &root, &itself, path, &mut way) {
            Ok(reached) => Held::of(reached).map_or(Leads::Unknown, Leads::To),
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP | Errno::NAMETOOLONG) => Leads::Nowhere,
            Err(_) => Leads::Unknown,
        }
    });
    Followed { leads, way }
}

/// Follows a path from its start, with absolute links from the root.
fn from_start(
    start: OwnedFd,
    root: &OwnedFd,
    itself: &dyn Fn(&OsStr) -> Option<OwnedFd>,
    path: &Path,
    way: &mut Way,
) -> Result<OwnedFd, Errno> {
    let mut rest = VecDeque::new();
    // What comes first is the start; all else stands as it is, a slash at the end too.
    let path = path.as_os_str().as_bytes();
    let below = path.iter().position(|byte| *byte != b'/').unwrap_or(path.len());
    put_before(&mut rest, OsStr::from_bytes(&path[below..]));
    let mut at = start;
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
        way.through(&at)?;
        let next = hold(at.as_fd(), &name, OFlags::NOFOLLOW)?;
        if FileType::from_raw_mode(fstat(&next)?.st_mode) != FileType::Symlink {
            way.lies_in = Some(std::mem::replace(&mut at, next));
            continue;
        }
        links += 1;
        if links > LINKS_MAX {
            return Err(Errno::LOOP);
        }
        way.through(&next)?;
        if fstatfs(&next)?.f_type != PROC_SUPER_MAGIC {
            let text = readlinkat(&next, "", Vec::new())?.into_bytes();
            put_before(&mut rest, &OsString::from_vec(text));
        } else if fstat(&at)?.st_ino != PROC_ROOT_INODE {
            (way.is_held, way.lies_in) = (true, None);
            at = hold(at.as_fd(), &name, OFlags::empty())?;
        } else if name == "self" || name == "thread-self" {
            at = itself(&name).ok_or(Errno::SRCH)?;
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

    use claviger_sensor_common::RootPlace;

    use super::*;

    fn from_root(
        root: &OwnedFd,
        itself: &dyn Fn(&OsStr) -> Option<OwnedFd>,
        path: &Path,
        way: &mut Way,
    ) -> Result<OwnedFd, Errno> {
        from_start(root.try_clone().expect("held"), root, itself, path, way)
    }

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
        let reach = |path: &str| inode(from_root(&root, &|_| None, Path::new(path), &mut Way::new()));
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
        let reach = |path: &str| inode(from_root(&root, &|_| None, Path::new(path), &mut Way::new()));
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
        let itself = |_: &OsStr| ProcessDirectory::of(own)?.hold(".");
        let reach = |path: &str| inode(from_root(&root, &itself, Path::new(path), &mut Way::new()));
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

    #[test]
    fn a_way_is_believed_only_where_nothing_on_it_was_changed_since() {
        let directory = tempfile::tempdir().expect("a directory");
        let at = |name: &str| directory.path().join(name);
        fs::create_dir_all(at("deep/er")).expect("made");
        fs::write(at("deep/er/key"), "x").expect("written");
        symlink("deep", at("way")).expect("linked");
        let changed = |path: &str| {
            let mut way = Way::new();
            let root = OwnedFd::from(File::open(directory.path()).expect("the root"));
            // Where it leads is another test's.
            let _reached = from_root(&root, &|_| None, Path::new(path), &mut way);
            Followed {
                leads: Leads::Unknown,
                way,
            }
        };
        let newest = |names: &[&str]| {
            let times = names.iter().map(|name| {
                let stat = fs::symlink_metadata(at(name)).expect("there");
                time(stat.ctime(), stat.ctime_nsec().unsigned_abs())
            });
            times.max().expect("some")
        };
        let cases: [(&str, &[&str]); 4] = [
            ("/deep/er/key", &[".", "deep", "deep/er"]),
            ("/way/er/key", &[".", "way", "deep", "deep/er"]),
            ("/deep/nothing", &[".", "deep"]),
            ("/deep/er/../../way/er/key", &[".", "deep", "deep/er", "way"]),
        ];
        for (path, through) in cases {
            let followed = changed(path);
            let newest = newest(through);
            assert!(!followed.stood_at(newest + CLOCK_MARGIN), "{path}");
            assert!(followed.stood_at(newest + 2 * CLOCK_MARGIN), "{path}");
        }
        // What a file says of itself is none of its way's.
        let before = changed("/deep/er/key").way.changed;
        fs::write(at("deep/er/key"), "y").expect("written");
        assert_eq!(changed("/deep/er/key").way.changed, before);
        fs::rename(at("way"), at("other")).expect("renamed");
        symlink("other", at("way")).expect("linked");
        assert!(changed("/way/er/key").way.changed >= before);
        assert!(!changed("/way/er/key").stood_at(newest(&["."])));
    }

    #[test]
    fn what_a_process_holds_on_the_way_is_never_sure() {
        let own = std::process::id();
        let root = OwnedFd::from(File::open("/").expect("the root"));
        let itself = |_: &OsStr| ProcessDirectory::of(own)?.hold(".");
        let is_sure = |path: &str| {
            let mut way = Way::new();
            from_root(&root, &itself, Path::new(path), &mut way).expect("there");
            !way.is_held
        };
        assert!(is_sure("/proc/self/status") && !is_sure("/proc/self/cwd/."));
    }

    fn elsewhere(tree: Tree) -> Tree {
        Tree {
            mount_namespace: tree.mount_namespace + 1,
            ..tree
        }
    }

    fn below(tree: Tree) -> Tree {
        Tree {
            root: RootPlace {
                inode: tree.root.inode + 1,
                ..tree.root
            },
            ..tree
        }
    }

    #[test]
    fn what_is_ending_is_followed_as_what_is_gone() {
        let mut child = std::process::Command::new("/bin/true").spawn().expect("starts");
        let process = ProcessKey {
            pid: child.id(),
            start_ticks: crate::attribute::start_ticks_of(child.id()).expect("not waited for yet"),
        };
        let tree = Tree::own().expect("known");
        // It has ended, and is there until it is waited for.
        while ProcessDirectory::of(process.pid).is_some_and(|of| of.hold("root").is_some()) {
            std::thread::yield_now();
        }
        let ended = follow(process, process.pid, tree, Path::new("/"), false);
        assert!(matches!(ended.leads, Leads::To(_)));
        for other in [elsewhere(tree), below(tree)] {
            let other = follow(process, process.pid, other, Path::new("/"), false);
            assert!(matches!(other.leads, Leads::Unknown));
        }
        child.wait().expect("ours");
    }

    #[test]
    fn what_left_its_mount_namespace_or_root_is_not_followed_in_another() {
        let pid = std::process::id();
        let process = ProcessKey {
            pid,
            start_ticks: crate::attribute::start_ticks_of(pid).expect("it runs"),
        };
        let tid = rustix::thread::gettid().as_raw_nonzero().get().unsigned_abs();
        let tree = Tree::own().expect("known");
        let followed = follow(process, tid, tree, Path::new("/proc/thread-self/status"), false);
        assert!(matches!(followed.leads, Leads::To(_)));
        for other in [elsewhere(tree), below(tree)] {
            let left = follow(process, tid, other, Path::new("/"), false);
            assert!(matches!(left.leads, Leads::Unknown), "it is in another");
        }
        // The thread is gone, and its process is there.
        let followed = follow(process, u32::MAX, tree, Path::new("/"), false);
        assert!(matches!(followed.leads, Leads::To(_)));
        let left = follow(process, u32::MAX, elsewhere(tree), Path::new("/"), false);
        assert!(
            matches!(left.leads, Leads::Unknown),
            "it may have been in another"
        );
    }

    #[test]
    fn times_have_no_end() {
        assert_eq!(time(-5, 7), SystemTime::UNIX_EPOCH + Duration::from_nanos(7));
        assert!(time(i64::MAX, u64::MAX) > SystemTime::now());
    }
}
