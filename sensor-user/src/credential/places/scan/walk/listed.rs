//! What patterns find by listing a directory.

use std::collections::BTreeSet;
use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::PathBuf;

use rustix::fs::{Dir, FileType, Mode, OFlags};

use super::{Here, Walk};
use crate::credential::places::mounts::Served;
use crate::credential::places::scan::Why;
use crate::credential::places::scan::state::{self, State};

/// A directory of which a pattern wants the names, to be come back to.
pub(super) struct Listing {
    folder: OwnedFd,
    path: PathBuf,
    states: Vec<State>,
    depth: usize,
    served: Option<Served>,
}

impl Listing {
    pub(super) fn of(here: Here<'_>) -> io::Result<Self> {
        Ok(Self {
            folder: here.folder.try_clone_to_owned()?,
            path: here.path.to_owned(),
            states: here.states.to_owned(),
            depth: here.depth,
            served: here.served,
        })
    }

    pub(super) fn here(&self) -> Here<'_> {
        Here {
            folder: self.folder.as_fd(),
            path: &self.path,
            states: &self.states,
            depth: self.depth,
            served: self.served,
        }
    }
}

impl Walk<'_> {
    /// What a pattern finds by a listing.
    pub(super) fn listed(&mut self, here: Here<'_>) {
        let Here {
            path, states, served, ..
        } = here;
        let is_others = match served {
            Some(Served::Program | Served::Network) => true,
            // There is no end to what a program can have, and each look costs it something: a search passes it over.
            Some(Served::RootProgram) => self.places.searches,
            Some(Served::Kernel) | None => false,
        };
        if is_others {
            self.result.left_out.add(Why::ServedElsewhere, path);
            return;
        }
        if !(self.step)(path) {
            return;
        }
        let mut names = BTreeSet::new();
        self.list(here, &mut names);
        // Each was counted as it was listed.
        for name in names.difference(&self.exact_names(states)) {
            self.name(here, name);
        }
    }

    /// Adds the names of a directory that a pattern can match.
    fn list(&mut self, here: Here<'_>, names: &mut BTreeSet<Vec<u8>>) {
        let Here {
            folder, path, states, ..
        } = here;
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let listing = rustix::fs::openat(folder, ".", flags, Mode::empty()).and_then(Dir::new);
        let Ok(listing) = listing else {
            self.result.left_out.add(Why::Unreadable, path);
            return;
        };
        for entry in listing {
            let Ok(entry) = entry else {
                self.result.left_out.add(Why::Unreadable, path);
                return;
            };
            // All are counted: who serves the directory can give `.` without end.
            if !self.take_name(path) {
                return;
            }
            let name = entry.file_name().to_bytes();
            if name == b"." || name == b".." {
                continue;
            }
            let next = state::advance(self.places, states, name);
            // Most names of a search are files that no pattern ends at: they need not be looked at.
            let is_of_use = match entry.file_type() {
                FileType::RegularFile => next
                    .iter()
                    .any(|one| state::finished(self.places, *one).is_some()),
                _ => !next.is_empty(),
            };
            if is_of_use {
                names.insert(name.to_vec());
            }
        }
    }
}
