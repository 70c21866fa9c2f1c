//! What a scan did not look at: how much, why, and where, as far as there is room to say.

use std::path::{Path, PathBuf};

/// Places that are named for each reason; all are counted.
const NAMED_MAX: usize = 8;

/// Why something was left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// Homes beyond those that are looked into.
    Homes,
    /// Homes, or directories listed in them, in which the bound on names was reached.
    Names,
    /// Directories not entered for their depth, and what has a path that is too long to open it by.
    Depth,
    /// Files and directories not reported.
    Found,
    /// Directories not entered or not listed because another program or host serves them.
    ServedElsewhere,
    /// Directories that could not be opened or listed, for lack of permission or an error of the disk.
    Unreadable,
    /// Symbolic and hard links left out because they belong to another than what they lead to.
    ForeignLinks,
}

impl Why {
    /// Every reason.
    pub const ALL: [Self; 7] = [
        Self::Homes,
        Self::Names,
        Self::Depth,
        Self::Found,
        Self::ServedElsewhere,
        Self::Unreadable,
        Self::ForeignLinks,
    ];

    /// As machines are told.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Homes => "homes",
            Self::Names => "names",
            Self::Depth => "depth",
            Self::Found => "found",
            Self::ServedElsewhere => "served_elsewhere",
            Self::Unreadable => "unreadable",
            Self::ForeignLinks => "foreign_links",
        }
    }

    /// As people are told, of one or of several places.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::Homes => "more homes than are looked into",
            Self::Names => "more names than are looked at in a home or a directory",
            Self::Depth => "too deep, or too long a path",
            Self::Found => "more files or directories than are watched of a part",
            Self::ServedElsewhere => "served by a program or another host, and not entered",
            Self::Unreadable => "not readable, for lack of permission or an error of the disk",
            Self::ForeignLinks => {
                "a link that belongs to another than what it leads to, and was not followed"
            }
        }
    }
}

/// What was left out; nothing where all was looked at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LeftOut {
    counts: [u64; Why::ALL.len()],
    named: Vec<(Why, PathBuf)>,
}

impl LeftOut {
    /// Takes down one place.
    pub(super) fn add(&mut self, why: Why, path: &Path) {
        self.add_unnamed(why, 1);
        let of_why = self.named.iter().filter(|(other, _)| *other == why);
        if of_why.count() < NAMED_MAX && !self.named.iter().any(|(_, other)| other == path) {
            self.named.push((why, path.to_owned()));
        }
    }

    /// Takes down what has no path that is known.
    pub(in crate::credential) fn add_unnamed(&mut self, why: Why, count: u64) {
        self.counts[why as usize] += count;
    }

    /// How often for a reason.
    #[must_use]
    pub const fn count(&self, why: Why) -> u64 {
        self.counts[why as usize]
    }

    /// How often in all.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// The first places for each reason, as seen from the root of the scan.
    #[must_use]
    pub fn named(&self) -> &[(Why, PathBuf)] {
        &self.named
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_are_counted_and_the_first_named() {
        let mut left_out = LeftOut::default();
        for at in 0..NAMED_MAX + 3 {
            left_out.add(Why::Depth, Path::new(&format!("/{at}")));
        }
        left_out.add(Why::Unreadable, Path::new("/locked"));
        left_out.add_unnamed(Why::Homes, 3);
        assert_eq!(left_out.count(Why::Depth), NAMED_MAX as u64 + 3);
        assert_eq!(left_out.total(), NAMED_MAX as u64 + 7);
        assert_eq!(left_out.named().len(), NAMED_MAX + 1);
        assert_eq!(
            left_out.named().last(),
            Some(&(Why::Unreadable, PathBuf::from("/locked")))
        );
    }

    #[test]
    fn each_reason_stands_where_it_is_counted() {
        for (at, why) in Why::ALL.into_iter().enumerate() {
            assert_eq!(why as usize, at);
        }
    }
}
