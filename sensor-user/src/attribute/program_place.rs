//! Whether a file that is run is the one that lies at its path. Of the path alone, whoever makes mounts or a root of his own decides what it
//! shows; so the path is looked up in the host's own tree, and the file found there compared with the one that the kernel half saw run.
//!
//! - A tree of the process's own is believed where it is not in a user namespace of its own, its root is that of its mount namespace, and the file
//!   lies in the root's own file system: only who administers the host can have made that, as a container runtime does.
//! - A look does not wait, unless it is told that it may: then it is to be done where nobody waits for it.

use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};

use claviger_proto::v1::{ProgramPlace, Tree};
use rustix::{
    fs::{AtFlags, CWD, Mode, OFlags, ResolveFlags, Statx, StatxFlags, makedev, openat2, statx},
    io::Errno,
};

use super::{
    proc_fs::{holds, is_own_mount_namespace},
    procfs::ProcessDirectory,
};
use crate::decode::{ProcessKey, ProgramRun, Task};

const NOT_KNOWN_THERE: &str = "whether the file at its path in the host's tree is it could not be found out";
const NOT_KNOWN_IN_OWN: &str =
    "whether the file at its path in the tree that the process sees is it could not be found out";
const NOT_AS_SHOWN: &str = "its path holds bytes that are not shown as they are";
const OTHER_THERE: &str = "another file lies at its path in the host's tree";
const NONE_THERE: &str = "nothing lies at its path in the host's tree";
const MOUNTED_OVER: &str = "something is mounted over its path in the tree that the process sees";
const OTHER_IN_OWN: &str = "another file, or none, lies at its path in the tree that the process sees";
const OF_USER: &str = "the tree that the process sees may be anybody's: it is in a user namespace of its own";
const NOT_ITS_ROOT: &str = "the process has another root than its mount namespace";
const ENDED: &str = "it ended before the tree that it saw was looked at";
const UNREADABLE: &str = "its path could not be looked up";

/// Where a file that is run lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    tree: Tree,
    owner_uid: Option<u32>,
    mode: Option<u32>,
    reason: &'static str,
}

impl Place {
    fn unknown(reason: &'static str) -> Self {
        Self {
            tree: Tree::Unspecified,
            owner_uid: None,
            mode: None,
            reason,
        }
    }

    /// It was not looked at in the time that there was.
    #[must_use]
    pub fn not_yet() -> Self {
        Self::unknown("its path was not looked up in time")
    }

    /// What looks it up hangs.
    #[must_use]
    pub fn hangs() -> Self {
        Self::unknown("the file system of its path does not answer")
    }

    /// Whether it is not known because what looked it up hangs.
    #[must_use]
    pub fn is_hung(&self) -> bool {
        *self == Self::hangs()
    }

    fn in_tree(tree: Tree, stat: &Statx) -> Self {
        Self {
            tree,
            owner_uid: Some(stat.stx_uid),
            mode: Some(u32::from(stat.stx_mode) & 0o7777),
            reason: "",
        }
    }

    fn nowhere(reason: &'static str) -> Self {
        Self {
            tree: Tree::None,
            ..Self::unknown(reason)
        }
    }
}

impl From<&Place> for ProgramPlace {
    fn from(place: &Place) -> Self {
        Self {
            tree: place.tree.into(),
            owner_uid: place.owner_uid,
            mode: place.mode,
            reason: place.reason.to_owned(),
        }
    }
}

/// A file that a process runs, and whose place is sought.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Sought {
    /// In which of its program runs.
    pub run: ProgramRun,
    /// Its path as it was shown.
    pub path: String,
    /// `st_dev` of its superblock's device, and its inode.
    pub object: (u64, u64),
    mount_namespace: u32,
    user_namespace: u32,
    /// Who may tell what its mount namespace shows when it is gone.
    ancestors: Vec<ProcessKey>,
}

/// The look would have to wait for a disk, or for who serves the file system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WouldWait;

impl Sought {
    /// Of a task.
    pub fn of(task: &Task, path: &str, object: (u64, u64)) -> Self {
        Self {
            run: task.run(),
            path: path.to_owned(),
            object,
            mount_namespace: task.mount_namespace,
            user_namespace: task.user_namespace,
            ancestors: task.ancestors.iter().map(|ancestor| ancestor.process).collect(),
        }
    }

    /// Looks.
    ///
    /// # Errors
    /// [`WouldWait`] where it may not wait.
    pub fn look(&self, may_wait: bool) -> Result<Place, WouldWait> {
        // What is shown of other bytes is the path of another file.
        if self.path.contains('\\') {
            return Ok(Place::unknown(NOT_AS_SHOWN));
        }
        let cached = if may_wait {
            ResolveFlags::empty()
        } else {
            ResolveFlags::CACHED
        };
        let at_path = open(CWD, &self.path, cached);
        let reason = match &at_path {
            Ok(file) => match is_it(file.as_fd(), self.object, ProcessDirectory::own) {
                Compared::Same(stat) => return Ok(Place::in_tree(Tree::Host, &stat)),
                Compared::Other => OTHER_THERE,
                Compared::Unknown => return Ok(Place::unknown(NOT_KNOWN_THERE)),
            },
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP | Errno::NAMETOOLONG) => NONE_THERE,
            Err(_) if !may_wait => return Err(WouldWait),
            Err(_) => return Ok(Place::unknown(UNREADABLE)),
        };
        if is_own_mount_namespace(self.mount_namespace) {
            return Ok(Place::nowhere(reason));
        }
        self.look_in_its_own(cached, reason)
    }

    /// Looks where the process itself sees the path.
    fn look_in_its_own(&self, cached: ResolveFlags, reason: &'static str) -> Result<Place, WouldWait> {
        if own_user_namespace() != Some(self.user_namespace) {
            return Ok(Place::nowhere(OF_USER));
        }
        let (process, root) = match self.root_of_namespace() {
            Ok(found) => found,
            Err(place) => return Ok(place),
        };
        if is_hosts(root.as_fd()) {
            // The host's tree, with mounts of its own.
            return Ok(Place::nowhere(reason));
        }
        let within = ResolveFlags::IN_ROOT | ResolveFlags::NO_XDEV;
        match open(root.as_fd(), &self.path, within | cached) {
            Ok(file) => Ok(match is_it(file.as_fd(), self.object, || Some(process)) {
                Compared::Same(stat) => Place::in_tree(Tree::Own, &stat),
                Compared::Other => Place::nowhere(OTHER_IN_OWN),
                Compared::Unknown => Place::unknown(NOT_KNOWN_IN_OWN),
            }),
            Err(Errno::XDEV) => Ok(Place::nowhere(MOUNTED_OVER)),
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP | Errno::NAMETOOLONG) => {
                Ok(Place::nowhere(OTHER_IN_OWN))
            }
            Err(_) if cached.contains(ResolveFlags::CACHED) => Err(WouldWait),
            Err(_) => Ok(Place::unknown(UNREADABLE)),
        }
    }
}

impl Sought {
    /// The root of its mount namespace, by whichever of these processes is still there and has it as its own: itself, or, as the first process of a
    /// container, an ancestor.
    fn root_of_namespace(&self) -> Result<(ProcessDirectory, OwnedFd), Place> {
        let mut reason = Place::unknown(ENDED);
        for process in [&self.run.process].into_iter().chain(&self.ancestors) {
            let Some((directory, root)) = its_root(*process, self.mount_namespace) else {
                continue;
            };
            if directory.link("root").as_deref() == Some(b"/") {
                return Ok((directory, root));
            }
            reason = Place::nowhere(NOT_ITS_ROOT);
        }
        Err(reason)
    }
}

fn open(root: BorrowedFd<'_>, path: &str, resolve: ResolveFlags) -> Result<OwnedFd, Errno> {
    let flags = OFlags::PATH | OFlags::CLOEXEC;
    openat2(
        root,
        path,
        flags,
        Mode::empty(),
        ResolveFlags::NO_MAGICLINKS | resolve,
    )
}

/// Asks nobody who serves a file system: what the kernel knows of a file that it runs is enough.
fn known(file: BorrowedFd<'_>) -> Option<Statx> {
    let flags = AtFlags::EMPTY_PATH | AtFlags::STATX_DONT_SYNC;
    statx(file, "", flags, StatxFlags::BASIC_STATS | StatxFlags::MNT_ID).ok()
}

/// Whether a file is the one that is run.
#[derive(Debug)]
enum Compared {
    /// It is, and this is known of it.
    Same(Box<Statx>),
    /// It is not.
    Other,
    /// The kernel did not tell.
    Unknown,
}

/// Whether a file is this object. Where stat(2) has another device than its superblock (btrfs, overlayfs), the mounts tell that.
fn is_it(
    file: BorrowedFd<'_>,
    (device, inode): (u64, u64),
    who_sees_it: impl FnOnce() -> Option<ProcessDirectory>,
) -> Compared {
    let Some(stat) = known(file) else {
        return Compared::Unknown;
    };
    let low = |inode: u64| inode & u64::from(u32::MAX);
    if low(stat.stx_ino) != low(inode) {
        return Compared::Other;
    }
    if stat.stx_ino == inode && makedev(stat.stx_dev_major, stat.stx_dev_minor) == device {
        return Compared::Same(Box::new(stat));
    }
    let mounts = who_sees_it().and_then(|process| process.read("mountinfo"));
    let Some(mount) = mounts.and_then(|mounts| mount_of(&mounts, stat.stx_mnt_id)) else {
        return Compared::Unknown;
    };
    // Of a file in an overlay stat(2) may say more in the upper half.
    if mount.device == device && (mount.is_overlay || stat.stx_ino == inode) {
        Compared::Same(Box::new(stat))
    } else {
        Compared::Other
    }
}

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Mount {
    /// As `st_dev` has it.
    pub(super) device: u64,
    is_overlay: bool,
}

/// A mount by its number, of mountinfo as proc(5) has it. Where mounts lie may be any bytes: whoever may mount has chosen them.
pub(super) fn mount_of(mounts: &[u8], number: u64) -> Option<Mount> {
    let mut lines = mounts
        .split(|byte| *byte == b'\n')
        .map(|line| line.split(|byte| *byte == b' '));
    let mut fields = lines.find_map(|mut fields| {
        let is_it = text(fields.next()?)?.parse() == Ok(number);
        is_it.then_some(fields)
    })?;
    let (major, minor) = text(fields.nth(1)?)?.split_once(':')?;
    let device = makedev(major.parse().ok()?, minor.parse().ok()?);
    let kind = fields.skip_while(|field| *field != b"-").nth(1)?;
    Some(Mount {
        device,
        is_overlay: kind == b"overlay",
    })
}

fn text(field: &[u8]) -> Option<&str> {
    std::str::from_utf8(field).ok()
}

fn own_user_namespace() -> Option<u32> {
    ProcessDirectory::own()?.namespace("user")
}

/// The root of a process that is still there, and in this mount namespace.
fn its_root(process: ProcessKey, mount_namespace: u32) -> Option<(ProcessDirectory, OwnedFd)> {
    let directory = ProcessDirectory::of(process.pid)?;
    let root = directory.hold("root")?;
    let is_it = directory.namespace("mnt") == Some(mount_namespace) && holds(&directory, process);
    is_it.then_some((directory, root))
}

/// Whether a root is the sensor's own.
fn is_hosts(root: BorrowedFd<'_>) -> bool {
    let object = |stat: Statx| (stat.stx_dev_major, stat.stx_dev_minor, stat.stx_ino);
    let own = open(CWD, "/", ResolveFlags::empty()).ok();
    let own = own.and_then(|own| known(own.as_fd())).map(object);
    own.is_some() && known(root).map(object) == own
}

#[cfg(test)]
mod tests;
