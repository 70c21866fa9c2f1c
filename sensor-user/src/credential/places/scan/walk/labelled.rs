//! Directories in which a credential could appear, and those that lead to such.

use super::*;

impl Walk<'_> {
    pub(super) fn take_way(&mut self, folder: BorrowedFd<'_>, path: &Path) {
        if self.result.ways.len() >= self.limits.ways || self.ways_left == 0 {
            // What all homes have together is not shared out.
            self.is_cut |= self.ways_left == 0;
            self.result.left_out.add(Why::Found, path);
        } else if let Ok(look) = look_at_held(folder) {
            self.ways_left -= 1;
            self.result.ways.push(Way {
                path: path.to_owned(),
                seen: Seen::of(&look),
            });
        }
    }

    pub(super) fn label(&mut self, folder: BorrowedFd<'_>, path: &Path, states: &[State]) {
        let mut names: BTreeMap<Vec<u8>, usize> = BTreeMap::new();
        let mut has_patterns = false;
        for one in states
            .iter()
            .filter(|one| state::is_last_step(self.places, **one) && !self.needs_content(**one))
        {
            match (self.exact_name(*one), one) {
                (Some(name), State::Rule(rule, _)) => {
                    names
                        .entry(name)
                        .and_modify(|first| *first = (*first).min(*rule))
                        .or_insert(*rule);
                }
                _ => has_patterns = true,
            }
        }
        let leads_on = states
            .iter()
            .any(|one| state::leads_on(self.places, *one) && !self.needs_content(*one));
        if names.is_empty() && !has_patterns && !leads_on {
            return;
        }
        let Ok(look) = look_at_held(folder) else {
            self.result.left_out.add(Why::Unreadable, path);
            return;
        };
        let is_for_credentials = !state::reaches_home(self.places, states)
            && states
                .iter()
                .any(|one| state::ends_in_own_directory(self.places, *one) && !self.needs_content(*one));
        if self.take_directory(path) && self.take_found(path) {
            let names = names
                .into_iter()
                .map(|(name, rule)| (name, Arc::clone(&self.places.rules[rule].entry)))
                .collect();
            self.take_label(LabelledDirectory {
                path: path.to_owned(),
                seen: Seen::of(&look),
                names,
                has_patterns,
                is_for_credentials,
                leads_on,
            });
        }
    }

    pub(super) fn take_label(&mut self, directory: LabelledDirectory) {
        let names = directory.names.iter();
        self.named
            .extend(names.map(|(name, _)| (directory.seen, name.clone())));
        self.labelled
            .insert(directory.seen, self.result.directories.len());
        self.result.directories.push(directory);
    }

    /// Takes down a directory in which one that does not exist yet would lead on.
    pub(super) fn way(&mut self, folder: BorrowedFd<'_>, path: &Path, states: &[State]) {
        let leads_on =
            |one: &State| state::next(self.places, *one).is_some() && !state::is_last_step(self.places, *one);
        if states.iter().any(leads_on) {
            self.take_way(folder, path);
        }
    }

    pub(super) fn exact_name(&self, one: State) -> Option<Vec<u8>> {
        match state::next(self.places, one) {
            Some(Next::Name(name)) => Some(name.to_vec()),
            _ => None,
        }
    }
}
