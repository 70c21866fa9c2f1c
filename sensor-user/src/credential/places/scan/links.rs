//! Where a symbolic link leads, step by step. What lies at its end is replaced by a rename over it there, and not where the link lies; so the
//! directory and name of each step is one in which the credential could appear.

use std::ffi::{OsStr, OsString};
use std::os::fd::BorrowedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Component, Path, PathBuf};

use rustix::fs::{FileType, Mode, OFlags, ResolveFlags};

use crate::credential::look::{Seen, look_at_held, type_of};

/// Steps of a chain that are followed; the kernel itself follows [`LINKS_MAX`].
const STEPS_MAX: usize = 16;

/// Links behind each other that the kernel follows; it refuses what has more.
const LINKS_MAX: usize = 40;

/// Names in all that these say; what has more is not followed.
const NAMES_MAX: usize = 1_024;

/// One step: what a link names, whether that is there or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Step {
    /// The directory, as seen from the root of the scan.
    pub directory: PathBuf,
    /// Which directory that is.
    pub seen: Seen,
    /// The name in it.
    pub name: Vec<u8>,
}

/// What a chain of links leads through.
#[derive(Debug, Default)]
pub(super) struct Chain {
    /// What each link names, the last one where the chain ends.
    pub steps: Vec<Step>,
    /// Directories that hold a link by which a step's directory is reached: another could take its place.
    pub turns: Vec<PathBuf>,
}

/// Whether all that a link leads through may be touched, asked of each path before it is. What changes in between can still be touched once.
pub(super) fn may_be_followed(root: BorrowedFd<'_>, link: &Path, may_touch: &dyn Fn(&Path) -> bool) -> bool {
    let mut left: Vec<OsString> = names_of(link);
    let mut at = PathBuf::from("/");
    let mut links = 0;
    for _ in 0..NAMES_MAX {
        let Some(name) = left.pop() else { return true };
        if name == ".." {
            at.pop();
            continue;
        }
        let next = at.join(name);
        if !may_touch(&next) {
            return false;
        }
        let Some(text) = read_link(root, &next) else {
            at = next;
            continue;
        };
        links += 1;
        if links > LINKS_MAX {
            return true;
        }
        let target = Path::new(OsStr::from_bytes(&text));
        if target.is_absolute() {
            at = PathBuf::from("/");
        }
        left.extend(names_of(target));
    }
    false
}

/// The last one first.
fn names_of(path: &Path) -> Vec<OsString> {
    let names = path.components().rev().filter_map(|component| match component {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some("..".into()),
        Component::RootDir | Component::CurDir | Component::Prefix(_) => None,
    });
    names.collect()
}

/// Follows the link at a path below `root`. Each path is told before it is looked at.
pub(super) fn follow(root: BorrowedFd<'_>, link: &Path, step: &dyn Fn(&Path) -> bool) -> Chain {
    let mut chain = Chain::default();
    let mut at = link.to_owned();
    while chain.steps.len() < STEPS_MAX {
        if !step(&at) {
            break;
        }
        let Some(target) = target_of(root, &at) else { break };
        let (Some(above), Some(Component::Normal(name))) = (target.parent(), target.components().next_back())
        else {
            break;
        };
        if !step(above) {
            break;
        }
        let Some(seen) = seen_at(root, above) else { break };
        turns(root, above, &mut chain.turns);
        chain.steps.push(Step {
            directory: above.to_owned(),
            seen,
            name: name.as_bytes().to_vec(),
        });
        at = target;
    }
    chain
}

/// What a link says, from the root; nothing where it is no link.
fn target_of(root: BorrowedFd<'_>, link: &Path) -> Option<PathBuf> {
    let text = read_link(root, link)?;
    let target = Path::new(OsStr::from_bytes(&text));
    Some(plain(root, link.parent()?.join(target)))
}

fn read_link(root: BorrowedFd<'_>, path: &Path) -> Option<Vec<u8>> {
    let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let link = rustix::fs::openat2(root, path, flags, Mode::empty(), resolve).ok()?;
    let look = look_at_held(&link).ok()?;
    if type_of(&look) != FileType::Symlink {
        return None;
    }
    let text = rustix::fs::readlinkat(&link, "", Vec::new()).ok()?;
    Some(text.into_bytes())
}

/// A path without `.` and `..`, where that leads to the same directory: behind a link to one, `..` is another than it looks.
fn plain(root: BorrowedFd<'_>, path: PathBuf) -> PathBuf {
    let mut without = PathBuf::from("/");
    for component in path.components() {
        match component {
            Component::Normal(name) => without.push(name),
            Component::ParentDir => {
                without.pop();
            }
            Component::RootDir | Component::CurDir | Component::Prefix(_) => {}
        }
    }
    let above = |path: &Path| seen_at(root, path.parent()?);
    if above(&without) == above(&path) {
        without
    } else {
        path
    }
}

fn seen_at(root: BorrowedFd<'_>, directory: &Path) -> Option<Seen> {
    let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let directory = rustix::fs::openat2(root, directory, flags, Mode::empty(), resolve).ok()?;
    look_at_held(&directory).ok().map(|look| Seen::of(&look))
}

/// Adds the directories that hold a link on the way to a directory.
fn turns(root: BorrowedFd<'_>, directory: &Path, turns: &mut Vec<PathBuf>) {
    for part in directory.ancestors().take(STEPS_MAX) {
        if let (Some(above), true) = (part.parent(), read_link(root, part).is_some()) {
            turns.push(above.to_owned());
        }
    }
}
