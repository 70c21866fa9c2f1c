//! The walk itself.

mod appear;
mod home;
mod labelled;
mod listed;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::ffi::OsStr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use claviger_proto::catalogue::Entry;
use rustix::fs::{FileType, Mode, OFlags, ResolveFlags, Statx};
use rustix::io::Errno;

use super::links;
use super::state::{self, Next, State};
use super::{Candidate, LabelledDirectory, ScanLimits, ScanResult, Way, Why};
use crate::credential::look::{Seen, look_at, look_at_held, type_of};
use crate::credential::places::mounts::{Mounts, Served};
use crate::credential::places::{Places, matches, names};
use home::Share;
use listed::Listing;

const FOLDER: OFlags = OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

/// Bytes of a path by which a file can be opened.
const PATH_MAX: usize = 4_095;

pub(super) fn walk(
    places: &Places,
    root: &OwnedFd,
    limits: &ScanLimits,
    mounts: &Mounts,
    step: &dyn Fn(&Path) -> bool,
) -> ScanResult {
    let mut result = ScanResult::default();
    result.left_out.add_unnamed(Why::Homes, places.homes_left_out);
    let mut walk = Walk {
        places,
        root: root.as_fd(),
        limits,
        mounts,
        step,
        result,
        names_left: limits.names_elsewhere,
        directories_left: limits.directories_per_home,
        ways_left: limits.ways,
        is_cut: false,
        put_off: None,
        labelled: HashMap::new(),
        named: HashSet::new(),
    };
    let states = state::start(places);
    walk.directory(Here {
        folder: root.as_fd(),
        path: Path::new("/"),
        states: &states,
        depth: 0,
        served: None,
    });
    walk.result
}

struct Walk<'a> {
    places: &'a Places,
    root: BorrowedFd<'a>,
    limits: &'a ScanLimits,
    mounts: &'a Mounts,
    /// Is told each path before it is looked at, and says whether that may be touched.
    step: &'a dyn Fn(&Path) -> bool,
    result: ScanResult,
    /// Of the home that the walk is in.
    names_left: usize,
    /// Of the home that the walk is in.
    directories_left: usize,
    /// Of the home that the walk is in.
    ways_left: usize,
    /// Whether something did not find room in the share that it has.
    is_cut: bool,
    /// What is to be listed once all was looked up that a home's patterns name exactly.
    put_off: Option<Vec<Listing>>,
    /// Which directories are in the result, and where.
    labelled: HashMap<Seen, usize>,
    /// Names in them that would be a credential.
    named: HashSet<(Seen, Vec<u8>)>,
}

/// A directory, and what can still match below it.
#[derive(Clone, Copy)]
struct Here<'a> {
    folder: BorrowedFd<'a>,
    path: &'a Path,
    states: &'a [State],
    depth: usize,
    served: Option<Served>,
}

impl<'a> Here<'a> {
    fn below(self, folder: BorrowedFd<'a>, path: &'a Path, states: &'a [State]) -> Self {
        Self {
            folder,
            path,
            states,
            depth: self.depth + 1,
            ..self
        }
    }
}

impl Walk<'_> {
    /// A directory that was come to; `served` is what it lies in.
    fn directory(&mut self, here: Here<'_>) {
        let Here {
            path,
            states,
            depth,
            served: above,
            ..
        } = here;
        let served = self.mounts.at(path).unwrap_or(above);
        let named;
        let states = if served == Some(Served::Kernel) {
            // Nothing lies there unless it is named: a read can do things, and there is no end to what is there.
            named = state::without_any_depth(self.places, states);
            if named.len() < states.len() && !self.places.searches {
                self.result.left_out.add(Why::ServedElsewhere, path);
            }
            &named
        } else {
            states
        };
        if states.is_empty() {
            return;
        }
        if depth > self.limits.depth {
            self.result.left_out.add(Why::Depth, path);
            return;
        }
        let has_own_share = state::reaches_home(self.places, states) || (self.places.searches && depth == 1);
        let here = Here {
            states,
            served,
            ..here
        };
        if !has_own_share || depth == 0 {
            return self.inside(here);
        }
        // One can lie in another: what finds no room in it has nothing to do with what is around.
        let outside = (self.share(), self.is_cut);
        self.give(Share::of_home(self.limits));
        if self.places.searches {
            self.inside(here);
        } else {
            self.home(here);
        }
        self.give(outside.0);
        self.is_cut = outside.1;
    }

    fn inside(&mut self, here: Here<'_>) {
        let Here {
            folder, path, states, ..
        } = here;
        if !self.places.searches {
            self.label(folder, path, states);
            self.way(folder, path, states);
        }
        let wants_listing = states.iter().any(|one| {
            matches!(
                state::next(self.places, *one),
                Some(Next::Wildcard(_) | Next::AnyDepth)
            )
        });
        // These lead to homes too, which have shares of their own: they are looked up whatever a neighbour has used up. There are as many as the catalogue and
        // the user database name.
        for name in self.exact_names(states) {
            self.take_name(path);
            self.name(here, &name);
        }
        if !wants_listing {
            return;
        }
        match &mut self.put_off {
            None => self.listed(here),
            Some(put_off) => match Listing::of(here) {
                Ok(listing) => put_off.push(listing),
                Err(_) => self.result.left_out.add(Why::Unreadable, path),
            },
        }
    }

    fn exact_names(&self, states: &[State]) -> BTreeSet<Vec<u8>> {
        states.iter().filter_map(|one| self.exact_name(*one)).collect()
    }

    fn name(&mut self, within: Here<'_>, name: &[u8]) {
        let Here { folder, states, .. } = within;
        let name = OsStr::from_bytes(name);
        let here = within.path.join(name);
        if here.as_os_str().len() > PATH_MAX {
            self.result.left_out.add(Why::Depth, &here);
            return;
        }
        // A stat of the directory that is mounted there would already ask it.
        if self.mounts.is_untouchable(&here) || !(self.step)(&here) {
            self.result.left_out.add(Why::ServedElsewhere, &here);
            return;
        }
        let look = match look_at(folder, name) {
            Ok(look) => look,
            Err(Errno::NOENT | Errno::NOTDIR) => return,
            Err(_) => {
                self.result.left_out.add(Why::Unreadable, &here);
                return;
            }
        };
        match type_of(&look) {
            FileType::RegularFile => {
                let ends = state::advance(self.places, states, name.as_bytes());
                if look.stx_nlink > 1 && !Self::may_have_linked(folder, &look) {
                    self.result.left_out.add(Why::ForeignLinks, &here);
                    return;
                }
                self.file(here, Seen::of(&look), &ends);
            }
            FileType::Directory => {
                let below = state::advance(self.places, states, name.as_bytes());
                if !self.goes_on(&below) {
                    return;
                }
                match rustix::fs::openat(folder, name, FOLDER | OFlags::NOFOLLOW, Mode::empty()) {
                    Ok(child) => self.directory(within.below(child.as_fd(), &here, &below)),
                    Err(Errno::NOENT | Errno::NOTDIR) => {}
                    Err(_) => self.result.left_out.add(Why::Unreadable, &here),
                }
            }
            FileType::Symlink => self.link(within, here, &look),
            _ => {}
        }
    }

    fn link(&mut self, within: Here<'_>, here: PathBuf, link: &Statx) {
        let Some(name) = here.file_name() else { return };
        let as_file = state::advance(self.places, within.states, name.as_bytes());
        let as_folder = state::advance_exact(self.places, within.states, name.as_bytes());
        let ends = as_file
            .iter()
            .any(|one| state::finished(self.places, *one).is_some());
        if !ends && !self.goes_on(&as_folder) {
            return;
        }
        let may_touch = |path: &Path| !self.mounts.is_untouchable(path) && (self.step)(path);
        if !links::may_be_followed(self.root, &here, &may_touch) {
            self.result.left_out.add(Why::ServedElsewhere, &here);
            return;
        }
        let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
        let target = rustix::fs::openat2(
            self.root,
            &here,
            OFlags::PATH | OFlags::CLOEXEC,
            Mode::empty(),
            resolve,
        );
        let Some((target, look)) = target
            .ok()
            .and_then(|target| look_at_held(&target).ok().map(|look| (target, look)))
        else {
            // What it names may be away for a moment.
            if !self.places.searches {
                let chain = links::follow(self.root, &here, self.step);
                self.could_appear(&here, &chain, &as_file, link.stx_uid, false);
            }
            return;
        };
        if link.stx_uid != 0 && link.stx_uid != look.stx_uid {
            self.result.left_out.add(Why::ForeignLinks, &here);
            return;
        }
        match type_of(&look) {
            FileType::RegularFile => {
                if !self.places.searches {
                    let chain = links::follow(self.root, &here, self.step);
                    self.could_appear(&here, &chain, &as_file, link.stx_uid, true);
                }
                self.file(here, Seen::of(&look), &as_file);
            }
            FileType::Directory if self.goes_on(&as_folder) => {
                if !self.places.searches {
                    let chain = links::follow(self.root, &here, self.step);
                    let above = chain.steps.into_iter().map(|step| step.directory);
                    self.ways_at(above.chain(chain.turns));
                }
                self.directory(within.below(target.as_fd(), &here, &as_folder));
            }
            _ => {}
        }
    }

    /// Whether a file of several names has this one from root or from its owner, as far as can be told by who owns the directory.
    fn may_have_linked(folder: BorrowedFd<'_>, file: &Statx) -> bool {
        look_at_held(folder)
            .is_ok_and(|directory| directory.stx_uid == 0 || directory.stx_uid == file.stx_uid)
    }

    fn file(&mut self, path: PathBuf, seen: Seen, states: &[State]) {
        let Some((entry, or)) = self.entries(&path, states) else {
            return;
        };
        if self.take_found(&path) {
            self.result.files.push(Candidate {
                path,
                seen,
                entry,
                or,
            });
        }
    }

    /// The entry that names a path, and those that do where its content speaks against the one before.
    fn entries(&self, path: &Path, states: &[State]) -> Option<(Arc<Entry>, Vec<Arc<Entry>>)> {
        let rules: BTreeSet<usize> = states
            .iter()
            .filter_map(|one| state::finished(self.places, *one))
            .collect();
        let entry = rules.into_iter().map(|rule| &self.places.rules[rule].entry);
        let mut entries = entry
            .into_iter()
            .filter(|entry| !self.is_exception(entry, path))
            .map(Arc::clone);
        let entry = entries.next()?;
        let mut or = Vec::new();
        let mut decided = !entry.needs_content();
        while !decided && let Some(next) = entries.next() {
            decided = !next.needs_content();
            or.push(next);
        }
        Some((entry, or))
    }

    fn is_exception(&self, entry: &Entry, path: &Path) -> bool {
        let Some(names) = names(path.as_os_str().as_bytes()) else {
            return false;
        };
        let below_homes = self.places.below_homes(&names);
        entry
            .exceptions()
            .iter()
            .any(|pattern| matches(pattern, &names, &below_homes))
    }

    /// Whether it takes more than a name.
    fn needs_content(&self, one: State) -> bool {
        matches!(one, State::Rule(rule, _) if self.places.rules[rule].entry.needs_content())
    }

    /// Whether any way leads further down.
    fn goes_on(&self, states: &[State]) -> bool {
        states
            .iter()
            .any(|one| state::finished(self.places, *one).is_none())
    }

    /// Counts a name in a directory; says no where this home has had its share.
    fn take_name(&mut self, path: &Path) -> bool {
        match self.names_left {
            0 => {
                self.is_cut = true;
                false
            }
            left => {
                self.names_left = left - 1;
                if left == 1 {
                    self.is_cut = true;
                    self.result.left_out.add(Why::Names, path);
                }
                left > 1
            }
        }
    }

    fn take_directory(&mut self, path: &Path) -> bool {
        let has_room = self.directories_left > 0;
        self.directories_left = self.directories_left.saturating_sub(1);
        self.is_cut |= !has_room;
        if !has_room {
            self.result.left_out.add(Why::Found, path);
        }
        has_room
    }

    fn take_found(&mut self, path: &Path) -> bool {
        let has_room = self.result.files.len() + self.result.directories.len() < self.limits.found;
        if !has_room {
            self.result.left_out.add(Why::Found, path);
        }
        has_room
    }
}
