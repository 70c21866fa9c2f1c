//! Looking at the content of what a scan found, once for each version of a file.

use std::{collections::HashMap, os::fd::AsFd, path::Path};

use claviger_proto::catalogue::Entry;

use super::{Recognised, recognise};
use crate::credential::{
    Candidate, Held, OpenError, ReadError, ScanResult, Version,
    read::{read_beginning, read_public},
};

/// Versions remembered. At the bound all are forgotten and looked at anew.
const VERSIONS_MAX: usize = 65_536;

/// What is known of contents.
#[derive(Debug, Default)]
pub struct Contents {
    by_version: HashMap<Version, Recognised>,
}

impl Contents {
    /// Leaves of what was found only what is a credential by its content too, where an entry wants that; each file is then of the first entry
    /// that its content does not rule out. `root` is the root of the scan. Blocks for as long as the file systems take; each path is told before it is
    /// looked at, and left out where it may not be touched.
    pub fn narrow(&mut self, root: impl AsFd, found: &mut ScanResult, step: &dyn Fn(&Path) -> bool) {
        let root = root.as_fd();
        found.files.retain_mut(|candidate| {
            if !candidate.entry.needs_content() {
                return true;
            }
            if !step(&candidate.path) {
                return false;
            }
            let Some(recognised) = self.look(root, candidate) else {
                return false;
            };
            let fits = |entry: &Entry| {
                !entry.needs_content() || entry.content().iter().any(|one| recognised.may_be(*one))
            };
            if fits(&candidate.entry) {
                return true;
            }
            match candidate.or.iter().position(|entry| fits(entry)) {
                Some(at) => {
                    candidate.entry = candidate.or.swap_remove(at);
                    true
                }
                None => false,
            }
        });
    }

    /// What the candidate's content is; nothing where it is gone or another.
    fn look(&mut self, root: impl AsFd, candidate: &Candidate) -> Option<Recognised> {
        let held = Held::at(root, &candidate.path).ok()?;
        if held.seen() != candidate.seen {
            return None;
        }
        if let Some(known) = self.by_version.get(&held.version()) {
            return Some(*known);
        }
        let recognised = match held.open_file() {
            Ok(file) => match read_public(&file) {
                Ok(content) => recognise(&content),
                Err(ReadError::TooLarge) => read_beginning(&file)
                    .map_or(Recognised::UNKNOWN, |beginning| Recognised::too_large(&beginning)),
                // It is of another version already; the next look will see that one.
                Err(ReadError::Changing | ReadError::Failed(_) | ReadError::NotRegular) => {
                    return Some(Recognised::UNKNOWN);
                }
            },
            Err(OpenError::Gone | OpenError::NotRegular) => return None,
            Err(OpenError::Failed { .. } | OpenError::Hangs) => return Some(Recognised::UNKNOWN),
        };
        if self.by_version.len() >= VERSIONS_MAX {
            self.by_version.clear();
        }
        self.by_version.insert(held.version(), recognised);
        Some(recognised)
    }
}
