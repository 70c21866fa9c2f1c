//! From records of uses to events that wait for their identities.

use super::*;

impl<S: Sink> Agent<S> {
    pub(super) fn opened(&mut self, open: &Open) {
        self.accounts.received += 1;
        let meaning = match open.matched {
            Match::Object(id) | Match::Name(id) | Match::DirectoryPattern(id) => {
                self.knowledge.labels().meaning(id).cloned()
            }
        };
        let Some(meaning) = meaning else {
            self.accounts.lose("unknown_label", 1);
            return;
        };
        let (entry, found_at, matched_by) = match (open.matched, meaning) {
            (Match::Object(_), Meaning::Credential { entry, path }) => {
                (entry, Some(path), MatchBasis::Object)
            }
            // Names are found by a hash; the name itself decides.
            (Match::Name(_), Meaning::Credential { entry, path })
                if path
                    .file_name()
                    .is_some_and(|name| name.as_encoded_bytes() == open.path.name()) =>
            {
                (entry, Some(path), MatchBasis::DirectoryEntry)
            }
            (Match::DirectoryPattern(_), Meaning::Directory { path }) => {
                let places = self.knowledge.places();
                let mut name = path.as_os_str().as_encoded_bytes().to_vec();
                name.push(b'/');
                name.extend_from_slice(open.path.name());
                match places.match_path(&name) {
                    Some(entry) => (Arc::clone(entry), None, MatchBasis::DirectoryEntry),
                    None => return self.accounts.drop_record("not_in_catalogue"),
                }
            }
            _ => return self.accounts.drop_record("not_in_catalogue"),
        };
        if !entry.watches(operation(open.access)) {
            return self.accounts.drop_record("operation_not_watched");
        }
        let used = Used {
            entry: &entry,
            path: &open.path,
            device: open.object.device,
            inode: open.object.key.inode,
            generation: open.object.key.generation,
            access: open.access,
            matched_by,
        };
        // An LSM behind ours may still refuse, but the kernel had no objection until here.
        let observation = self.observation(Probe::FileOpen);
        let event = self.facts.credential_access(
            open.time_boot_ns,
            &open.task,
            &used,
            (Outcome::Succeeded, 0),
            observation,
        );
        let token = self.ask(open, entry.kind(), found_at);
        self.push(event, token);
    }

    /// Asks the worker for the identities.
    pub(super) fn ask(
        &mut self,
        open: &Open,
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

    pub(super) fn denied(&mut self, denied: &Denied) {
        self.accounts.received += 1;
        let places = self.knowledge.places();
        let Some(entry) = places.match_path(&denied.path.bytes) else {
            return self.accounts.drop_record("not_in_catalogue");
        };
        if !entry.watches(operation(denied.access)) {
            return self.accounts.drop_record("operation_not_watched");
        }
        let used = Used {
            entry,
            path: &denied.path,
            device: 0,
            inode: 0,
            generation: 0,
            access: denied.access,
            matched_by: MatchBasis::PathAsGiven,
        };
        let observation = self.observation(Probe::FileOpenDenied);
        let outcome = (Outcome::Denied, denied.errno);
        let event =
            self.facts
                .credential_access(denied.time_boot_ns, &denied.task, &used, outcome, observation);
        self.push(event, Err("the attempt was refused: nothing was read"));
    }

    pub(super) fn push(&mut self, mut event: Event, token: Result<u64, &'static str>) {
        if let Some(actor) = &mut event.actor
            && let Some(process) = &actor.process
        {
            actor.is_sensor = self.peers.holds(ProcessKey {
                pid: process.pid,
                start_ticks: process.start_time_ticks,
            });
        }
        let reason = match token {
            Ok(_) => "it was not read within the time that an event waits",
            Err(reason) => reason,
        };
        if let Some(credential) = &mut event.credential {
            credential.unknown_reason = reason.to_owned();
        }
        self.pending.push(event, token.ok(), self.started.elapsed());
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
