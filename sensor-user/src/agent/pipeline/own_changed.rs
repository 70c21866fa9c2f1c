//! Names, lengths, modes and owners of the sensor's own files that others change.

use std::path::Path;

use super::{
    changes::{outcome, path_of},
    tampering::{Seen, is_same_tree},
    *,
};
use crate::decode::{Change, Changed, FilePath, Known, Match};

impl<S: Sink> Agent<S> {
    /// Tells a change of a file of the sensor's own. Returns whether it was one.
    pub(super) fn changed_own(&mut self, change: &Change) -> bool {
        let second = change.second.as_ref().unwrap_or(&change.path);
        // A symbolic link changes nothing of what it leads to.
        let is_link = change.what == Changed::Symlinked;
        let changed = (!is_link).then(|| self.own_path(change, &change.file, &change.path));
        let Some(target) = changed
            .flatten()
            .or_else(|| self.own_path(change, &change.place, second))
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

    /// The path of a file that is the sensor's own: by the label of its directory, else by the words of its path.
    fn own_path(&self, change: &Change, known: &Known, path: &FilePath) -> Option<String> {
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
            && is_same_tree(&change.task, Path::new(&given));
        is_own.then(|| path.display())
    }
}
