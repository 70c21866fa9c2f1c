//! A home: what its patterns name exactly comes first, and each directory that they have listed has a share of what is left, so that who fills one of them
//! (a cache, a folder that goes deep) hides nothing in another.

use super::{Here, Walk, listed::Listing};
use crate::credential::places::scan::{LeftOut, ScanLimits};

/// Listed directories that together have what a home has. The catalogue has some twenty for a home.
const LISTINGS: usize = 32;

/// How much may still be looked at.
#[derive(Clone, Copy)]
pub(super) struct Share {
    names: usize,
    directories: usize,
    ways: usize,
}

impl Share {
    pub(super) const fn of_home(limits: &ScanLimits) -> Self {
        Self {
            names: limits.names_per_home,
            directories: limits.directories_per_home,
            ways: limits.ways_per_home,
        }
    }

    /// For each of [`LISTINGS`].
    fn of_one(self) -> Self {
        let part = |all: usize| (all / LISTINGS).max(2);
        Self {
            names: part(self.names),
            directories: part(self.directories),
            ways: part(self.ways),
        }
    }

    /// Without what was used of another.
    fn without(self, given: Self, left: Self) -> Self {
        let rest = |all: usize, given: usize, left: usize| all.saturating_sub(given.saturating_sub(left));
        Self {
            names: rest(self.names, given.names, left.names),
            directories: rest(self.directories, given.directories, left.directories),
            ways: rest(self.ways, given.ways, left.ways),
        }
    }

    fn at_least(self, other: Self) -> Self {
        Self {
            names: self.names.max(other.names),
            directories: self.directories.max(other.directories),
            ways: self.ways.max(other.ways),
        }
    }
}

/// What a walk had found at a moment.
struct Mark {
    files: usize,
    directories: usize,
    ways: usize,
    left_out: LeftOut,
}

impl Walk<'_> {
    pub(super) fn share(&self) -> Share {
        Share {
            names: self.names_left,
            directories: self.directories_left,
            ways: self.ways_left,
        }
    }

    pub(super) fn give(&mut self, share: Share) {
        Share {
            names: self.names_left,
            directories: self.directories_left,
            ways: self.ways_left,
        } = share;
    }

    /// Walks through a home, which has its share already.
    pub(super) fn home(&mut self, here: Here<'_>) {
        let around = self.put_off.replace(Vec::new());
        self.inside(here);
        let listings = self.put_off.take().unwrap_or_default();
        let of_one = Share::of_home(self.limits).of_one();
        let mut rest = self.share();
        let mut cut = Vec::new();
        for listing in listings {
            let mark = self.mark();
            if self.list_within(&listing, of_one) {
                self.back_to(&mark);
                cut.push(listing);
            } else {
                rest = rest.without(of_one, self.share());
            }
        }
        for listing in cut {
            let given = rest.at_least(of_one);
            self.list_within(&listing, given);
            rest = rest.without(given, self.share());
        }
        self.put_off = around;
    }

    /// Whether something found no room in the share.
    fn list_within(&mut self, listing: &Listing, share: Share) -> bool {
        self.give(share);
        self.is_cut = false;
        self.listed(listing.here());
        self.is_cut
    }

    fn mark(&self) -> Mark {
        Mark {
            files: self.result.files.len(),
            directories: self.result.directories.len(),
            ways: self.result.ways.len(),
            left_out: self.result.left_out.clone(),
        }
    }

    fn back_to(&mut self, mark: &Mark) {
        self.result.files.truncate(mark.files);
        self.result.ways.truncate(mark.ways);
        for directory in self.result.directories.drain(mark.directories..) {
            self.labelled.remove(&directory.seen);
            for (name, _) in directory.names {
                self.named.remove(&(directory.seen, name));
            }
        }
        self.result.left_out = mark.left_out.clone();
    }
}
