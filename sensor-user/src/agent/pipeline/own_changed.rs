//! Names, lengths, modes and owners of the sensor's own files that others change.

use super::{
    changes::{outcome, path_of},
    tampering::{Seen, is_same_tree},
    *,
};
use crate::decode::{Change, Changed, FilePath, Known, Match, Paths};

impl<S: Sink> Agent<S> {
    /// Tells a change of a file of the sensor's own. Returns whether it was one.
    pub(super) fn changed_own(&mut self, change: &Change) -> bool {
        let second = change.second.as_ref().unwrap_or(&change.path);
        // As who did it has them.
        let (theirs, their_second) = match change.below.as_deref() {
            Some(Paths { path, second, .. }) => (path, second.as_ref().unwrap_or(path)),
            None => (&change.path, second),
        };
        // A symbolic link changes nothing of what it leads to.
        let is_link = change.what == Changed::Symlinked;
        let changed = (!is_link).then(|| self.own_path(change, &change.file, &change.path, theirs));
        let Some(target) = changed
            .flatten()
            .or_else(|| self.own_path(change, &change.place, second, their_second))
        else {
            return false;
        };
        self.accounts.received += 1;
        let what = match change.what {
            Changed::Removed
            | Changed::Renamed
            | Changed::Exchanged
            | Changed::DirectoryRenamed
            | Changed::DirectoryExchanged => "file_removed",
            _ => "file_changed",
        };
        let seen = Seen {
            observation: self.observation(Probe::CredentialChange),
            time_boot_ns: change.time_boot_ns,
            repeats: None,
        };
        self.push_tamper(&change.task, what, target, outcome(change.end), seen);
        true
    }

    /// The path of a file that is the sensor's own: by the label of its directory, else by the words of its path, which are `theirs` for who changed it.
    fn own_path(&self, change: &Change, known: &Known, path: &FilePath, theirs: &FilePath) -> Option<String> {
        if let Some(Match::Object(id) | Match::DirectoryPattern(id)) = known.matched
            && let Some(Meaning::Sensor { path: own }) = self.knowledge.labels().meaning(id)
        {
            let is_itself = matches!(known.matched, Some(Match::Object(_)));
            let name = String::from_utf8_lossy(path.name());
            return Some(if is_itself {
                own.display().to_string()
            } else {
                own.join(&*name).display().to_string()
            });
        }
        let given = path_of(path);
        let is_own = change.is_by_path
            && !path.truncated
            && self.options.own.holds(&given).is_some()
            && (!change.is_of_other_root
                || (!change.is_outside() && is_same_tree(&change.task, &given, &path_of(theirs))));
        is_own.then(|| path.display())
    }
}
