//! From records of uses to events that wait for their identities.

use claviger_proto::v1::Operation;

use super::{changes::below, *};
use crate::{
    agent::{
        events::{Used, credential, operation},
        repeats::First,
    },
    decode::{Attempt, FileOperation, FileUse, Match},
};

/// The kernel half's label stands for nothing that the agent knows.
const UNKNOWN_LABEL: &str = "unknown_label";
const NOT_IN_CATALOGUE: &str = "not_in_catalogue";
const NOT_WATCHED: &str = "operation_not_watched";

impl<S: Sink> Agent<S> {
    pub(super) fn file_used(&mut self, file: FileUse) {
        let told = self.tell_file_use(&file, None);
        if told == Err(UNKNOWN_LABEL) {
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

    /// Tells a use, or why it is none. With `repeats`, so many repeats of it, now.
    pub(super) fn tell_file_use(&mut self, file: &FileUse, repeats: Option<u64>) -> Result<(), &'static str> {
        self.accounts.received += 1;
        let meaning = match file.matched {
            Match::Object(id) | Match::Name(id) | Match::DirectoryPattern(id) | Match::Below(id) => {
                self.knowledge.labels().meaning(id).cloned()
            }
        };
        let Some(meaning) = meaning else {
            let uses = repeats.unwrap_or(1);
            self.accounts.received += uses - 1;
            self.accounts.lose(UNKNOWN_LABEL, uses);
            return Err(UNKNOWN_LABEL);
        };
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
            (Match::DirectoryPattern(_) | Match::Below(_), Meaning::Directory { path }) => {
                let places = self.knowledge.places();
                let names = if matches!(file.matched, Match::Below(_)) {
                    2
                } else {
                    1
                };
                let name = below(&path, &file.path, names);
                match places.match_path(&name) {
                    Some(entry) => (Arc::clone(entry), None, MatchBasis::DirectoryEntry),
                    None => return Err(self.drop_record(NOT_IN_CATALOGUE)),
                }
            }
            _ => return Err(self.drop_record(NOT_IN_CATALOGUE)),
        };
        let operation = match file.operation {
            FileOperation::Open => operation(file.access),
            FileOperation::Map => Operation::Map,
            FileOperation::Inherit => Operation::Inherit,
            FileOperation::Receive => Operation::Receive,
        };
        if !entry.watches(operation) {
            return Err(self.drop_record(NOT_WATCHED));
        }
        let used = Used {
            entry: &entry,
            path: &file.path,
            device: file.object.device,
            inode: file.object.key.inode,
            generation: file.object.key.generation,
            operation,
            matched_by,
        };
        // An LSM behind ours may still refuse, but the kernel had no objection until here.
        let observation = self.observation(match file.operation {
            FileOperation::Open => Probe::FileOpen,
            FileOperation::Map => Probe::FileMapped,
            FileOperation::Inherit => Probe::FileInherited,
            FileOperation::Receive => Probe::FileReceived,
        });
        let outcome = (Outcome::Succeeded, 0);
        let mut event = self
            .facts
            .used(EventKind::CredentialAccess, &file.task, outcome, observation);
        at(&mut event, file.time_boot_ns, repeats);
        event.credential = Some(credential(&used));
        let token = self.ask(file, entry.kind(), found_at);
        self.push(event, Some(token));
        Ok(())
    }

    fn drop_record(&mut self, reason: &'static str) -> &'static str {
        self.accounts.drop_record(reason);
        reason
    }

    /// Asks the worker for the identities.
    pub(super) fn ask(
        &mut self,
        open: &FileUse,
        kind: &str,
        found_at: Option<PathBuf>,
    ) -> Result<u64, &'static str> {
        use std::os::unix::ffi::OsStringExt as _;
        let mut paths = Vec::new();
        if !open.path.truncated {
            let path = PathBuf::from(std::ffi::OsString::from_vec(open.path.bytes.clone()));
            paths.push((
                PathBuf::from(format!("/proc/{}/root", open.task.process.pid)),
                path.clone(),
            ));
            paths.push((PathBuf::from("/"), path));
        }
        paths.extend(found_at.map(|path| (PathBuf::from("/"), path)));
        let token = self.next_token;
        self.next_token += 1;
        if self.worker.ask(Question {
            token,
            object: open.object.key,
            kind: kind.to_owned(),
            paths,
        }) {
            Ok(token)
        } else {
            Err("too many uses at once to look at each")
        }
    }

    pub(super) fn attempted(&mut self, attempt: &Attempt) {
        if self.attempted_reach(attempt) {
            return;
        }
        self.accounts.received += 1;
        let places = self.knowledge.places();
        let Some(entry) = places.match_path(&attempt.path.bytes) else {
            return self.accounts.drop_record(NOT_IN_CATALOGUE);
        };
        let operation = operation(attempt.access);
        if !entry.watches(operation) {
            return self.accounts.drop_record(NOT_WATCHED);
        }
        let used = Used {
            entry,
            path: &attempt.path,
            device: 0,
            inode: 0,
            generation: 0,
            operation,
            matched_by: MatchBasis::PathAsGiven,
        };
        let (probe, outcome, reason) = match attempt.errno {
            Some(errno) => (
                Probe::FileOpenDenied,
                (Outcome::Denied, errno),
                "the attempt was refused: nothing was read",
            ),
            None => (
                Probe::FileOpen,
                (Outcome::Unknown, 0),
                "only the path was seen, not the file",
            ),
        };
        let observation = self.observation(probe);
        let mut event = self
            .facts
            .used(EventKind::CredentialAccess, &attempt.task, outcome, observation);
        at(&mut event, attempt.time_boot_ns, None);
        event.credential = Some(credential(&used));
        self.push(event, Some(Err(reason)));
    }

    /// Takes up an event of a process. `identities` is the question by which its credential's are found, or why there is none.
    pub(super) fn push(&mut self, mut event: Event, identities: Option<Result<u64, &'static str>>) {
        if let Some(actor) = &mut event.actor
            && let Some(process) = &actor.process
        {
            actor.is_sensor = self.peers.holds(ProcessKey {
                pid: process.pid,
                start_ticks: process.start_time_ticks,
            });
        }
        let reason = match identities {
            Some(Err(reason)) => reason,
            _ => "it was not read within the time that an event waits",
        };
        if let Some(credential) = &mut event.credential {
            credential.unknown_reason = reason.to_owned();
        }
        let token = identities.and_then(Result::ok);
        self.pending.push(event, token, self.started.elapsed());
    }

    pub(super) fn observation(&self, probe: Probe) -> Observation {
        let hook = self
            .kernel
            .probes
            .iter()
            .find(|state| state.probe == probe)
            .and_then(|state| state.hook.clone());
        Observation {
            probe: probe.word().to_owned(),
            hook: hook.unwrap_or_default(),
        }
    }
}
