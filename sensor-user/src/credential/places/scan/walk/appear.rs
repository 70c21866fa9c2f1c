//! Names under which a credential could appear because a link leads there.

use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{Mode, ResolveFlags};

use super::{FOLDER, Walk};
use crate::credential::places::scan::LabelledDirectory;
use crate::credential::places::scan::links::Chain;
use crate::credential::places::scan::state::State;

impl Walk<'_> {
    /// Takes down that a credential could appear under the names that links lead through. Of a link of a user's only in directories of his own, or,
    /// where it leads to a file (that is there), in any: the file is his then.
    pub(super) fn could_appear(
        &mut self,
        here: &Path,
        chain: &Chain,
        states: &[State],
        link_owner: u32,
        is_there: bool,
    ) {
        let Some((entry, _)) = self.entries(here, states) else {
            return;
        };
        for step in &chain.steps {
            let may_name = link_owner == 0 || is_there || step.seen.owner == link_owner;
            if entry.needs_content() || !may_name {
                continue;
            }
            let named = (step.seen, step.name.clone());
            if self.named.contains(&named) || !self.take_found(&step.directory) {
                continue;
            }
            let name = (step.name.clone(), Arc::clone(&entry));
            match self.labelled.get(&step.seen).copied() {
                Some(at) => self.result.directories[at].names.push(name),
                None if self.take_directory(&step.directory) => self.take_label(LabelledDirectory {
                    path: step.directory.clone(),
                    seen: step.seen,
                    names: vec![name],
                    has_patterns: false,
                    is_for_credentials: false,
                    leads_on: false,
                }),
                None => {}
            }
            self.named.insert(named);
        }
        // A link that takes the place of another leads elsewhere, which only a scan finds out.
        let above = chain.steps.iter().map(|step| step.directory.clone());
        self.ways_at(above.chain(chain.turns.iter().cloned()).collect::<Vec<_>>());
    }

    /// Takes down directories in which something that appears is to bring the next scan forward.
    pub(super) fn ways_at(&mut self, paths: impl IntoIterator<Item = PathBuf>) {
        for path in paths {
            let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
            if let Ok(folder) = rustix::fs::openat2(self.root, &path, FOLDER, Mode::empty(), resolve) {
                self.take_way(folder.as_fd(), &path);
            }
        }
    }
}
