//! Names, lengths, modes and owners of the sensor's own files that others change.

use super::{
    changes::{Not, outcome, path_of},
    tampering::{Seen, leads_to_same},
    *,
};
use crate::decode::{Change, Changed, FilePath, Known, Match, Paths};

impl<S: Sink> Agent<S> {
    /// Tells a change of a file of the sensor's own, if it was one.
    pub(super) fn changed_own(&mut self, change: &Change) -> Result<(), Not> {
        let second = change.second.as_ref().unwrap_or(&change.path);
        // As who did it has them.
        let (theirs, their_second) = match change.below.as_deref() {
            Some(Paths { path, second, .. }) => (path, second.as_ref().unwrap_or(path)),
            None => (&change.path, second),
        };
        // A symbolic link changes nothing of what it leads to.
        let changed = match change.what {
            Changed::Symlinked => Err(Not::Credential),
            _ => self.own_path(change, &change.file, &change.path, theirs),
        };
        let target = changed.or_else(|not| {
            let place = self.own_path(change, &change.place, second, their_second);
            place.map_err(|other| not.or(other))
        })?;
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
        Ok(())
    }

    /// The path of a file that is the sensor's own: by the label of its directory, else by the words of its path, which are `theirs` for who changed it.
    fn own_path(
        &self,
        change: &Change,
        known: &Known,
        path: &FilePath,
        theirs: &FilePath,
    ) -> Result<String, Not> {
        if let Some(Match::Object(id) | Match::DirectoryPattern(id)) = known.matched
            && let Some(Meaning::Sensor { path: own }) = self.knowledge.labels().meaning(id)
        {
            let is_itself = matches!(known.matched, Some(Match::Object(_)));
            let name = String::from_utf8_lossy(path.name());
            return Ok(if is_itself {
                own.display().to_string()
            } else {
                own.join(&*name).display().to_string()
            });
        }
        let given = path_of(path);
        if !change.is_by_path || path.truncated || self.options.own.holds(&given).is_none() {
            return Err(Not::Credential);
        }
        let paths = change.below.as_ref().or(change.above.as_ref());
        let is_copy = paths.is_some_and(|paths| paths.is_copy);
        let is_same =
            || !change.is_outside() && leads_to_same(&change.task, &given, &path_of(theirs), is_copy);
        if !change.is_of_other_root || is_same() {
            return Ok(path.display());
        }
        // What it leads to in the sensor's tree was looked at already. In another one it leads to another file now, or that is not known any more; nothing says what it did then.
        match &change.above {
            Some(above) if !above.is_elsewhere => Err(Not::Credential),
            _ => Err(Not::Unproven),
        }
    }
}
