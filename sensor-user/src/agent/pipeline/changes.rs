//! Changes of credentials: of their names, lengths, modes, owners and attributes. And what else has changed so that it has to be looked at anew.

use std::{ffi::OsString, os::unix::ffi::OsStringExt as _, path::Path};

use claviger_proto::{
    catalogue::Entry,
    v1::{Change as Told, Operation},
};

use super::*;
use crate::{
    agent::{
        events::{Used, credential},
        seen_from::SeenFrom,
    },
    attribute::is_own_mount_namespace,
    decode::{Attributes, Change, Changed, End, FilePath, Object, display},
};

/// A credential that was changed.
pub(super) struct Found {
    pub entry: Arc<Entry>,
    pub path: FilePath,
    pub object: Option<Object>,
    pub matched_by: MatchBasis,
}

/// Why there is none.
#[derive(PartialEq, Eq)]
pub(super) enum Not {
    /// The label stands for nothing.
    Label,
    /// It is none.
    Credential,
    /// Its path is known in part only.
    Cut,
    /// Its path is one of the sensor's own, of another tree, which may have been the sensor's when it was followed.
    Unproven,
}

impl Not {
    /// Of two looks at the same: what neither has found may be there where one of them could not see.
    pub(super) fn or(self, other: Self) -> Self {
        if self == Self::Credential { other } else { self }
    }
}

impl<S: Sink> Agent<S> {
    pub(super) fn changed(&mut self, change: &Change) {
        let not = match change.from_above() {
            Some(above) => match self.tell_if_known(&above) {
                Err(not) if !above.is_outside() => self.tell_if_known(change).map_err(|other| not.or(other)),
                told => told,
            },
            None => self.tell_if_known(change),
        };
        if let Err(not) = not {
            self.accounts.received += 1;
            match not {
                Not::Label => self.accounts.lose(LostHere::UnknownLabel, 1),
                Not::Credential if change.is_read_late => self.accounts.lose(LostHere::PathReadLate, 1),
                Not::Credential => self.accounts.drop_record(Dropped::NotInCatalogue),
                Not::Cut => self.accounts.lose(LostHere::PathCut, 1),
                Not::Unproven => self.accounts.lose(LostHere::PathNotFollowed, 1),
            }
        }
    }

    /// Tells it, if it is a change of a credential or of a file of the sensor's, or a directory has moved, or something appeared.
    fn tell_if_known(&mut self, change: &Change) -> Result<(), Not> {
        if change.what == Changed::Appeared {
            if self.is_way(change) {
                self.worker.look();
            }
            return Ok(());
        }
        let (word, found, before, after) = match self.tell_what(change) {
            Ok(told) => told,
            Err(not) => {
                // By path nothing says whether it was a directory.
                let may_be_directory = matches!(
                    change.what,
                    Changed::DirectoryRenamed | Changed::DirectoryExchanged
                ) || (change.is_by_path
                    && matches!(change.what, Changed::Renamed | Changed::Exchanged));
                // What would come to it of a path that is cut is not known.
                let is_known = not != Not::Cut;
                return match self.changed_own(change) {
                    Ok(()) => Ok(()),
                    Err(_) if may_be_directory && is_known && self.directory_moved(change) => Ok(()),
                    Err(own) => Err(not.or(own)),
                };
            }
        };
        self.accounts.received += 1;
        let is_elsewhere = before != found.path.display();
        self.tell_change(change, word, &found, before, after);
        if change.end != End::Succeeded || change.is_of_other_root {
            return Ok(());
        }
        let path = path_of(&found.path);
        if let (MatchBasis::DirectoryEntry, Some(object)) = (found.matched_by, found.object) {
            let mut placed = self.knowledge.placed();
            placed.set(object.key, &found.entry, path.clone());
        }
        match word {
            // Another name of the file, and not the one that it is known by: there it still lies.
            "removed" | "renamed" if is_elsewhere => {}
            "removed" | "renamed" => self.knowledge.labels().lies(&path, None),
            "created" | "replaced" => {
                let key = found.object.map(|object| object.key).unwrap_or_default();
                self.knowledge.labels().lies(&path, Some(key));
            }
            _ => return Ok(()),
        }
        self.worker.look();
        Ok(())
    }

    /// Tells a change of a credential.
    pub(super) fn tell_change(
        &mut self,
        change: &Change,
        word: &'static str,
        found: &Found,
        before: String,
        after: String,
    ) {
        let object = found.object;
        let used = Used {
            entry: &found.entry,
            path: &found.path,
            device: object.map_or(0, |object| object.device),
            inode: object.map_or(0, |object| object.key.inode),
            generation: object.map_or(0, |object| object.key.generation),
            operation: Operation::Unspecified,
            matched_by: found.matched_by,
        };
        let mut observation = self.observation(Probe::CredentialChange);
        if change.what == Changed::Created {
            let hook = self.observation(Probe::FileOpen).hook.clone();
            observation.to_mut().hook = hook;
        }
        let outcome = outcome(change.end);
        let mut event = self
            .facts
            .used(EventKind::CredentialChange, &change.task, outcome, observation);
        at(&mut event, change.time_boot_ns, None);
        event.credential = Some(credential(&used));
        event.change = Some(Box::new(Told {
            what: word.to_owned(),
            before,
            after,
        }));
        let identities = match (change.end, object) {
            (End::Refused(_), _) => Err("the attempt was refused: nothing was changed"),
            (_, None) if change.is_of_other_root => {
                Err("only the path was seen, as another tree of files has it, and not the file")
            }
            (_, None) => Err("only the path was seen, not the file"),
            (_, Some(object)) => self.ask_of(object, &found.entry, &found.path),
        };
        self.push(event, Some(identities));
    }

    /// What it was, of which credential, before and after.
    fn tell_what(&self, change: &Change) -> Result<(&'static str, Found, String, String), Not> {
        let nothing = String::new;
        let of_file = || self.recognise_changed(change, &change.file, &change.path);
        let second = change.second.clone().unwrap_or_default();
        let of_place = || self.recognise_changed(change, &change.place, &second);
        let acted_on = |found: &Found, walked: &FilePath| {
            if change.is_by_path || found.matched_by != MatchBasis::Object {
                found.path.clone()
            } else if change.file.through_overlay {
                // The file of the layer has its name still. Where the overlay shows it is not known.
                last_name(walked)
            } else {
                named(&found.path, walked)
            }
        };
        let moved = |found: &Found, known: &FilePath, other: &FilePath| {
            let shown = if change.is_by_path && other.truncated {
                // Of what is cut at its end the rest would look whole.
                FilePath::default()
            } else if change.is_by_path {
                other.clone()
            } else {
                beside(&acted_on(found, known), known, other)
            };
            shown.display()
        };
        Ok(match change.what {
            Changed::Created => ("created", of_file()?, nothing(), nothing()),
            Changed::Renamed => match of_place() {
                Ok(mut to) => {
                    let was_there = change.overwrote || (change.is_by_path && to.object.is_some());
                    to.object = change.file.object.or(to.object);
                    let before = moved(&to, &second, &change.path);
                    let after = to.path.display();
                    (if was_there { "replaced" } else { "created" }, to, before, after)
                }
                Err(not) => {
                    let from = of_file().map_err(|other| not.or(other))?;
                    let after = moved(&from, &change.path, &second);
                    let before = acted_on(&from, &change.path).display();
                    ("renamed", from, before, after)
                }
            },
            Changed::Exchanged => match of_place() {
                Ok(mut to) => {
                    to.object = change.file.object.or(to.object);
                    let before = moved(&to, &second, &change.path);
                    let after = to.path.display();
                    ("replaced", to, before, after)
                }
                Err(not) => {
                    let from = of_file().map_err(|other| not.or(other))?;
                    let before = moved(&from, &change.path, &second);
                    let after = from.path.display();
                    ("replaced", from, before, after)
                }
            },
            Changed::Removed => {
                let from = of_file()?;
                let before = acted_on(&from, &change.path).display();
                ("removed", from, before, nothing())
            }
            Changed::Linked => match of_file() {
                Ok(from) => {
                    let after = moved(&from, &change.path, &second);
                    ("linked", from, nothing(), after)
                }
                Err(not) => {
                    let mut to = of_place().map_err(|other| not.or(other))?;
                    to.object = change.file.object.or(to.object);
                    let before = moved(&to, &second, &change.path);
                    let after = to.path.display();
                    ("created", to, before, after)
                }
            },
            Changed::Symlinked => self.tell_symlink(change, &second)?,
            Changed::Truncated => ("truncated", of_file()?, nothing(), nothing()),
            Changed::Mode => ("mode", of_file()?, mode(change.before), mode(change.after)),
            Changed::Owner => ("owner", of_file()?, owner(change.before), owner(change.after)),
            Changed::Attribute => ("attributes", of_file()?, nothing(), display(&change.text)),
            Changed::Appeared | Changed::DirectoryRenamed | Changed::DirectoryExchanged => {
                return Err(Not::Credential);
            }
        })
    }

    /// A symbolic link: to a credential, or in a place where one would lie. What it says is relative to its own directory.
    fn tell_symlink(
        &self,
        change: &Change,
        second: &FilePath,
    ) -> Result<(&'static str, Found, String, String), Not> {
        let place = self.recognise_changed(change, &change.place, second);
        let link = place.as_ref().map_or(second, |place| &place.path);
        let directory = FilePath {
            bytes: parent(&link.bytes).to_vec(),
            truncated: link.truncated,
        };
        let mut target = directory.join(&change.text);
        target.truncated |= change.path.truncated;
        let not = match self.by_path(&target) {
            Ok(found) => return Ok(("linked", found, String::new(), link.display())),
            Err(not) => not,
        };
        let mut to = place.map_err(|other| not.or(other))?;
        to.object = None;
        let after = display(&change.text);
        Ok(("created", to, String::new(), after))
    }

    /// Whether what appeared may be a way to credentials of the host.
    fn is_way(&self, change: &Change) -> bool {
        if !change.is_by_path {
            return true;
        }
        // Mounts in a container's tree are found with its root.
        if !is_own_mount_namespace(change.task.mount_namespace) {
            return false;
        }
        let path = path_of(&change.path);
        let directory = path_of(&FilePath {
            bytes: parent(&change.path.bytes).to_vec(),
            truncated: false,
        });
        self.knowledge.is_way(&directory) || self.knowledge.is_way(&path)
    }

    fn ask_of(&mut self, object: Object, entry: &Arc<Entry>, path: &FilePath) -> Result<u64, &'static str> {
        let token = self.next_token;
        self.next_token += 1;
        let asked = self.worker.ask(Question {
            token,
            object: object.key,
            entry: Arc::clone(entry),
            paths: vec![(SeenFrom::Here, path_of(path))],
        });
        asked
            .then_some(token)
            .ok_or("too many uses at once to look at each")
    }
}

/// What came of it, as the contract has it.
pub(super) fn outcome(end: End) -> (Outcome, u32) {
    match end {
        End::Succeeded => (Outcome::Succeeded, 0),
        End::Refused(errno) => (Outcome::Denied, errno),
        End::Unknown | End::ToCome | End::ToRun | End::NotRun => (Outcome::Unknown, 0),
    }
}

pub(super) fn path_of(path: &FilePath) -> PathBuf {
    PathBuf::from(OsString::from_vec(path.bytes.clone()))
}

/// The other way round.
pub(super) fn shown_of(path: &Path) -> FilePath {
    FilePath {
        bytes: path.as_os_str().as_encoded_bytes().to_vec(),
        truncated: false,
    }
}

/// The directory of an absolute path.
fn parent(path: &[u8]) -> &[u8] {
    match path.iter().rposition(|byte| *byte == b'/') {
        Some(0) | None => b"/",
        Some(at) => &path[..at],
    }
}

/// A path in a directory, by the last so many names of the path of a file there.
pub(super) fn below(directory: &Path, walked: &FilePath, names: usize) -> Vec<u8> {
    let mut path = directory.as_os_str().as_encoded_bytes().to_vec();
    let all: Vec<&[u8]> = walked.bytes.split(|byte| *byte == b'/').collect();
    for name in &all[all.len().saturating_sub(names)..] {
        if path.last() != Some(&b'/') {
            path.push(b'/');
        }
        path.extend_from_slice(name);
    }
    path
}

/// Where a path on a file system lies, by another on the same one of which it is known where it lies. Where that does not tell (a bind mount),
/// the last name alone.
pub(super) fn beside(known: &FilePath, walked: &FilePath, other: &FilePath) -> FilePath {
    match known.bytes.strip_suffix(&walked.bytes[..]) {
        Some(mount) if walked.bytes.len() > 1 => FilePath {
            bytes: [mount, &other.bytes].concat(),
            truncated: other.truncated,
        },
        _ => last_name(other),
    }
}

/// The path by which something was done to a file that is known by a path: another where its last name is another, as of a hard link. Where on the file system that lies is
/// known if it is in the same directory; else the last name alone.
fn named(known: &FilePath, walked: &FilePath) -> FilePath {
    if known.name() == walked.name() {
        return known.clone();
    }
    if parent(&known.bytes) == parent(&walked.bytes) {
        return walked.clone();
    }
    last_name(walked)
}

fn last_name(path: &FilePath) -> FilePath {
    FilePath {
        bytes: path.name().to_vec(),
        truncated: true,
    }
}

fn mode(attributes: Attributes) -> String {
    attributes
        .mode
        .map(|mode| format!("{:04o}", mode & 0o7777))
        .unwrap_or_default()
}

fn owner(attributes: Attributes) -> String {
    let number = |id: Option<u32>| id.map(|id| id.to_string()).unwrap_or_default();
    match attributes {
        Attributes {
            uid: None, gid: None, ..
        } => String::new(),
        Attributes { uid, gid, .. } => format!("{}:{}", number(uid), number(gid)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> FilePath {
        FilePath {
            bytes: text.into(),
            truncated: false,
        }
    }

    #[test]
    fn a_path_on_a_file_system_is_found_by_one_that_is_known() {
        let shown = |known, walked, other| beside(&path(known), &path(walked), &path(other));
        assert_eq!(shown("/home/a/.ssh/id", "/a/.ssh/id", "/b/x").bytes, b"/home/b/x");
        assert_eq!(shown("/a/id", "/a/id", "/b/x").bytes, b"/b/x");
        let bound = shown("/mnt/id", "/keys/id", "/keys/x");
        assert_eq!((&bound.bytes[..], bound.truncated), (&b"x"[..], true));
    }

    #[test]
    fn what_is_done_to_another_name_is_told_of_that_name() {
        let shown = |known, walked| named(&path(known), &path(walked));
        assert_eq!(shown("/home/a/.ssh/id", "/a/.ssh/id").bytes, b"/home/a/.ssh/id");
        assert_eq!(shown("/a/.ssh/id", "/a/.ssh/copy").bytes, b"/a/.ssh/copy");
        let elsewhere = shown("/home/a/.ssh/id", "/a/.ssh/copy");
        assert_eq!((&elsewhere.bytes[..], elsewhere.truncated), (&b"copy"[..], true));
    }

    #[test]
    fn names_are_put_below_a_directory() {
        let of = |names| below(Path::new("/v"), &path("/m/..2/token"), names);
        assert_eq!(of(1), b"/v/token");
        assert_eq!(of(2), b"/v/..2/token");
        assert_eq!(below(Path::new("/"), &path("/x"), 1), b"/x");
        assert_eq!(below(Path::new("/v"), &path("x"), 2), b"/v/x");
    }

    #[test]
    fn what_is_not_known_is_left_out() {
        let some = |mode, uid, gid| Attributes { mode, uid, gid };
        assert_eq!(mode(some(Some(0o100_600), None, None)), "0600");
        assert_eq!(mode(some(None, None, None)), "");
        assert_eq!(owner(some(None, Some(5), None)), "5:");
        assert_eq!(owner(some(None, Some(0), Some(7))), "0:7");
        assert_eq!(owner(some(None, None, None)), "");
        assert_eq!(parent(b"/a/b"), b"/a");
        assert_eq!(parent(b"/a"), b"/");
    }
}
