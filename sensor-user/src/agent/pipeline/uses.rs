//! From records of uses to events that wait for their identities.

use std::{ffi::OsString, os::unix::ffi::OsStringExt as _};

use claviger_proto::{Shared, catalogue::Entry, v1::Operation};
use claviger_sensor_common::ObjectKey;

use super::{changes::below, refused::REFUSED, *};
use crate::{
    agent::{
        events::{Used, credential, operation},
        repeats::First,
        seen_from::SeenFrom,
    },
    credential::Parsed,
    decode::{Access, Attempt, End, FileOperation, FilePath, FileUse, Held, Match},
};

/// A file that is a credential.
pub(super) struct Recognised {
    pub entry: Arc<Entry>,
    /// Where it was found.
    pub found_at: Option<PathBuf>,
    pub matched_by: MatchBasis,
}

/// The probe that sees such a use.
pub(super) fn probe_of(file: &FileUse) -> Probe {
    match file.operation {
        FileOperation::Open if file.key.errno != 0 => Probe::FileOpenDenied,
        FileOperation::Open => Probe::FileOpen,
        FileOperation::Map => Probe::FileMapped,
        FileOperation::Inherit => Probe::FileInherited,
        FileOperation::Receive => Probe::FileReceived,
        FileOperation::Hold => Probe::OpenDescriptors,
    }
}

/// How a use ended.
pub(super) fn outcome_of(file: &FileUse) -> (Outcome, u32) {
    match file.key.errno {
        0 => (Outcome::Succeeded, 0),
        errno => (Outcome::Denied, errno),
    }
}

/// Says that a use was under way already.
pub(super) fn was_under_way(event: &mut Event, pre_existing: bool, since_boot_ns: u64) {
    event.pre_existing = pre_existing;
    event.since = Some(timestamp(BootClock::read().wall(since_boot_ns)));
}

/// Paths, and from where they are seen, that may lead to a file that a process used.
pub(super) fn paths_to(process: ProcessKey, path: &FilePath) -> Vec<(SeenFrom, PathBuf)> {
    let path = PathBuf::from(OsString::from_vec(path.bytes.clone()));
    vec![(SeenFrom::Process(process), path.clone()), (SeenFrom::Here, path)]
}

/// Whether its content can have become known to the process.
fn reads(file: &FileUse) -> bool {
    file.operation != FileOperation::Open || file.access != Access::Write
}

impl<S: Sink> Agent<S> {
    pub(super) fn file_used(&mut self, file: FileUse) {
        self.told_as_done(&file.key);
        let told = self.tell_file_use(&file, None, None);
        if told == Err(NotTold::Lost(LostHere::UnknownLabel)) {
            // Its repeats are lost as it is.
            return;
        }
        self.repeats.keep(
            file.key,
            file.task.process,
            match told {
                Ok(()) => First::File(Box::new(file)),
                Err(_) => First::Dropped,
            },
        );
    }

    /// Tells a use, or why it is none. With `repeats`, so many repeats of it, now. With `held`, that it was under way already.
    pub(super) fn tell_file_use(
        &mut self,
        file: &FileUse,
        repeats: Option<u64>,
        held: Option<&Held>,
    ) -> Result<(), NotTold> {
        self.accounts.received += 1;
        if let Some(Meaning::Sensor { path }) = self.meaning(file) {
            return self.tell_own_file(file, &path, repeats, held);
        }
        let Recognised {
            entry,
            found_at,
            matched_by,
        } = match self.recognise(file) {
            Ok(recognised) => recognised,
            Err(NotTold::Lost(_)) => return Err(self.lose_label(repeats)),
            Err(NotTold::Dropped(reason)) => return Err(self.drop_record(reason)),
        };
        let operation = match file.operation {
            // What it is open for; how the process came to it is not known of what is held.
            FileOperation::Open | FileOperation::Hold => operation(file.access),
            FileOperation::Map => Operation::Map,
            FileOperation::Inherit => Operation::Inherit,
            FileOperation::Receive => Operation::Receive,
        };
        if !entry.watches(operation) {
            return Err(self.drop_record(Dropped::NotWatched));
        }
        // A refused open by handle has no path but that by which the file is known; nor has one by a mount of the file itself that lies nowhere.
        let lies_nowhere = file.key.errno != 0 || file.path.bytes == b"/";
        let known_path = found_at.clone().filter(|_| lies_nowhere).map(|path| FilePath {
            bytes: path.into_os_string().into_vec(),
            truncated: false,
        });
        let used = Used {
            entry: &entry,
            path: known_path.as_ref().unwrap_or(&file.path),
            device: file.object.device,
            inode: file.object.key.inode,
            generation: file.object.key.generation,
            operation,
            matched_by,
        };
        let observation = self.observation(probe_of(file));
        let outcome = outcome_of(file);
        let mut event = self
            .facts
            .used(EventKind::CredentialAccess, &file.task, outcome, observation);
        at(&mut event, file.time_boot_ns, repeats);
        if let Some(held) = held {
            was_under_way(&mut event, held.pre_existing, held.since_boot_ns);
        }
        event.credential = Some(credential(&used));
        if file.key.errno != 0 {
            self.push(event, Some(Err(REFUSED)));
            return Ok(());
        }
        if reads(file) {
            self.credential_read(file.task.process);
        }
        match self.known(file, &entry) {
            Some(known) => self.push_known(event, known),
            None => {
                let identities = self.ask(file, &entry, found_at);
                self.push(event, Some(identities));
            }
        }
        Ok(())
    }

    /// Which credential a file is, or why it is none.
    pub(super) fn recognise(&self, file: &FileUse) -> Result<Recognised, NotTold> {
        let meaning = self.meaning(file).ok_or(NotTold::Lost(LostHere::UnknownLabel))?;
        let (entry, found_at, matched_by) = match (file.matched, meaning) {
            (Match::Object(_), Meaning::Credential { entry, path }) => {
                (entry, Some(path), MatchBasis::Object)
            }
            // Names are found by a hash; the name itself decides.
            (Match::Name(_), Meaning::Credential { entry, path })
                if path
                    .file_name()
                    .is_some_and(|name| name.as_encoded_bytes() == file.path.name()) =>
            {
                (entry, Some(path), MatchBasis::DirectoryEntry)
            }
            // Labelled by the directory in which it lay, by which name the record told that came before.
            (Match::Object(_), Meaning::Directory { .. })
                if let Some((entry, path)) = self.knowledge.placed().get(file.object.key) =>
            {
                (entry, Some(path), MatchBasis::Object)
            }
            (
                Match::Object(_) | Match::DirectoryPattern(_) | Match::Below(_),
                Meaning::Directory { path },
            ) => {
                let places = self.knowledge.places();
                let names = if matches!(file.matched, Match::Below(_)) {
                    2
                } else {
                    1
                };
                let name = below(&path, &file.path, names);
                let entry = places
                    .match_path(&name)
                    .ok_or(NotTold::Dropped(Dropped::NotInCatalogue))?;
                if matches!(file.matched, Match::DirectoryPattern(_)) {
                    let path = PathBuf::from(OsString::from_vec(name));
                    self.knowledge.placed().set(file.object.key, entry, path);
                }
                (Arc::clone(entry), None, MatchBasis::DirectoryEntry)
            }
            _ => return Err(NotTold::Dropped(Dropped::NotInCatalogue)),
        };
        Ok(Recognised {
            entry,
            found_at,
            matched_by,
        })
    }

    /// What the label that matched stands for.
    fn meaning(&self, file: &FileUse) -> Option<Meaning> {
        match file.matched {
            Match::Object(id) | Match::Name(id) | Match::DirectoryPattern(id) | Match::Below(id) => {
                self.knowledge.labels().meaning(id).cloned()
            }
        }
    }

    /// A record whose label stands for nothing here: it and the repeats that it stands for are lost.
    pub(super) fn lose_label(&mut self, repeats: Option<u64>) -> NotTold {
        let uses = repeats.unwrap_or(1);
        self.accounts.received += uses - 1;
        self.accounts.lose(LostHere::UnknownLabel, uses);
        NotTold::Lost(LostHere::UnknownLabel)
    }

    /// Counts a record that is nothing to tell.
    pub(super) fn drop_record(&mut self, reason: Dropped) -> NotTold {
        self.accounts.drop_record(reason);
        NotTold::Dropped(reason)
    }

    /// What the very version of a file that was used says, where it was read before.
    fn known(&self, file: &FileUse, entry: &Entry) -> Option<Parsed> {
        self.knowledge
            .known()
            .get(file.object.key, entry.kind(), file.version?)
    }

    /// Asks the worker for the identities.
    pub(super) fn ask(
        &mut self,
        open: &FileUse,
        entry: &Arc<Entry>,
        found_at: Option<PathBuf>,
    ) -> Result<u64, &'static str> {
        let mut paths = Vec::new();
        if !open.path.truncated {
            paths = paths_to(open.task.process, &open.path);
        }
        paths.extend(found_at.map(|path| (SeenFrom::Here, path)));
        self.ask_worker(open.object.key, entry, paths)
    }

    fn ask_worker(
        &mut self,
        object: ObjectKey,
        entry: &Arc<Entry>,
        paths: Vec<(SeenFrom, PathBuf)>,
    ) -> Result<u64, &'static str> {
        let token = self.next_token;
        self.next_token += 1;
        if self.worker.ask(Question {
            token,
            object,
            entry: Arc::clone(entry),
            paths,
        }) {
            Ok(token)
        } else {
            Err("too many uses at once to look at each")
        }
    }

    pub(super) fn attempted(&mut self, attempt: Box<Attempt>) {
        if self.attempted_tamper(&attempt) || self.attempted_reach(&attempt) {
            return;
        }
        let End::Refused(errno) = attempt.end else {
            return self.follow(attempt);
        };
        self.refused(attempt, errno);
    }

    /// As [`Agent::push`], of a credential whose identities are known.
    pub(super) fn push_known(&mut self, mut event: Event, known: Parsed) {
        self.name_peer(&mut event);
        if let Some(credential) = &mut event.credential {
            credential.identities = known.identities;
            credential.unknown_reason = known.unknown_reason.unwrap_or_default().to_owned();
        }
        self.take_up(event, None);
    }

    /// Takes up an event of a process. `identities` is the question by which its credential's are found, or why there is none.
    pub(super) fn push(&mut self, mut event: Event, identities: Option<Result<u64, &'static str>>) {
        self.name_peer(&mut event);
        let reason = match identities {
            Some(Err(reason)) => reason,
            _ => "it was not read within the time that an event waits",
        };
        if let Some(credential) = &mut event.credential {
            credential.unknown_reason = reason.to_owned();
        }
        let token = identities.and_then(Result::ok);
        self.take_up(event, token);
    }

    fn take_up(&mut self, event: Event, token: Option<u64>) {
        let links = self.chains.behind(&event);
        let number = self.chains.remember(&event, token);
        self.pending.push(event, token, self.started.elapsed());
        self.pending.link(number, links);
        for sought in std::mem::take(&mut self.facts.to_place) {
            if self.placing.ask(&sought) {
                self.pending.await_place(sought);
            }
        }
    }

    /// It was found out where a program lies.
    pub(super) fn placed(&mut self, placed: &Placed) {
        self.placing.known(placed);
        let Placed { sought, place } = placed;
        self.facts.processes.placed(sought, place);
        self.pending.placed(sought, place);
    }

    /// Says of an event whether another sensor did it.
    fn name_peer(&self, event: &mut Event) {
        if let Some(actor) = &mut event.actor
            && let Some(process) = &actor.process
            && self.peers.holds(ProcessKey {
                pid: process.pid,
                start_ticks: process.start_time_ticks,
            })
        {
            actor.to_mut().is_sensor = true;
        }
    }

    pub(super) fn observation(&mut self, probe: Probe) -> Shared<Observation> {
        let state = self.kernel.probes.iter().find(|state| state.probe == probe);
        self.told_hooks
            .observation(probe, state.and_then(|state| state.hook.as_deref()))
    }
}
