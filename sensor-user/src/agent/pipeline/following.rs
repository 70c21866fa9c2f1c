//! Opens whose end was not seen, and refused ones, while it is found out where their paths lead.
//!
//! What a path leads to is for the process's own view to say: the worker follows it there, while the process lives. Where it leads to a credential, that
//! is the object, whatever the path is called; where it leads elsewhere, the catalogue's words in it mean nothing, unless they mean the same to
//! the sensor. That is believed only where nothing on the way was changed since, and where the path did not begin at a directory that the process may have
//! exchanged: else, and where the path cannot be followed any more, it is known by its words alone, and lost where these say nothing.
//! Of refused ones see [`super::refused`].

use std::{collections::BTreeMap, os::unix::ffi::OsStringExt as _};

use claviger_proto::catalogue::Entry;
use claviger_sensor_common::ObjectKey;

use super::{changes::outcome, refused::Refused, same_open::SameOpens, *};
use crate::{
    agent::{
        events::{Used, credential, operation},
        follow::Tree,
        messages::{Following, Reached, Run},
    },
    credential::Parsed,
    decode::{Attempt, End, Object, Start},
};

/// Opens whose path is followed, refused ones among them. At the bound a further one is known by the words of its path, or lost.
pub(in crate::agent) const FOLLOWING_MAX: usize = 1_024;

const NOT_FOLLOWED: &str = "only the path was seen, and could not be followed";

/// Those whose path is followed, by the number of the question.
#[derive(Default)]
pub(super) struct Followed {
    asked: BTreeMap<u64, Box<Attempt>>,
    /// How many of them were refused.
    pub(super) refused: Refused,
    /// What of them is told by its object too.
    pub(super) same: SameOpens,
}

impl Followed {
    pub(super) fn is_empty(&self) -> bool {
        self.asked.is_empty() && self.same.waiting() == 0
    }

    /// How many there are, without those that wait for their object.
    pub(super) fn len(&self) -> usize {
        self.asked.len()
    }

    /// Whether one of this process is.
    pub(super) fn follows(&self, process: ProcessKey) -> bool {
        let mut asked = self.asked.values();
        asked.any(|attempt| attempt.task.process == process)
    }
}

impl<S: Sink> Agent<S> {
    /// An open was asked for of which no object was seen: nobody saw how it ended, or the kernel opened it itself.
    pub(super) fn follow(&mut self, attempt: Box<Attempt>) {
        if let Err(attempt) = self.ask_where_it_leads(attempt) {
            self.tell_by_words(&attempt, Some(LostHere::PathNotFollowed));
        }
    }

    /// Asks where the path leads; the attempt itself where that cannot be asked.
    pub(super) fn ask_where_it_leads(&mut self, attempt: Box<Attempt>) -> Result<(), Box<Attempt>> {
        let number = self.next_token;
        self.next_token += 1;
        let path = |bytes: &[u8]| PathBuf::from(std::ffi::OsString::from_vec(bytes.to_vec()));
        let is_asked = !attempt.as_given.truncated
            && attempt.start != Start::Elsewhere
            && self.followed.len() < FOLLOWING_MAX
            && self.worker.follow(Following {
                number,
                process: attempt.task.process,
                tid: attempt.task.tid,
                tree: Tree {
                    mount_namespace: attempt.task.mount_namespace,
                    root: attempt.root,
                },
                user: attempt.task.uid,
                submitted_ns: attempt.time_boot_ns,
                time_boot_ns: attempt.time_boot_ns,
                run: match attempt.end {
                    End::ToRun => Run::ToCome,
                    End::NotRun => Run::Unseen,
                    _ => Run::Done,
                },
                // By whatever the process did to its directories until nobody knows when.
                is_base_sure: !attempt.is_relative
                    || !matches!(attempt.end, End::Unknown | End::ToRun | End::NotRun),
                is_from_outside: attempt.start == Start::Outside,
                path: path(&attempt.as_given.bytes),
                words: path(&attempt.path.bytes),
            });
        if !is_asked {
            return Err(attempt);
        }
        self.followed.asked.insert(number, attempt);
        Ok(())
    }

    /// Where a path leads.
    pub(super) fn path_led_to(&mut self, number: u64, reached: Reached) {
        let Some(attempt) = self.followed.asked.remove(&number) else {
            return;
        };
        if matches!(attempt.end, End::Refused(_)) {
            self.refused_led_to(&attempt, reached);
            return self.is_told(attempt.task.process);
        }
        if let Err((attempt, reached)) = self.await_object(attempt, reached) {
            self.tell_where_it_led(&attempt, reached);
        }
    }

    /// Tells an open by where its path leads.
    pub(super) fn tell_where_it_led(&mut self, attempt: &Attempt, reached: Reached) {
        match reached {
            Reached::Credential {
                entry,
                object,
                parsed,
            } => {
                self.accounts.received += 1;
                self.tell_by_path(attempt, &entry, Some(object), parsed);
            }
            Reached::Secret(part, target) => self.tell_reach_by_path(attempt, part, target),
            Reached::Own { path, object } => self.tell_own_by_path(attempt, &path, object),
            Reached::NeverUsed => {
                self.accounts.received += 1;
                self.accounts.drop_record(Dropped::NeverUsed);
            }
            Reached::Other {
                means_the_same: false,
            } => {
                self.accounts.received += 1;
                self.accounts.drop_record(Dropped::NotInCatalogue);
            }
            Reached::Other { means_the_same: true } | Reached::Nowhere => self.tell_by_words(attempt, None),
            Reached::Changed => self.tell_by_words(attempt, Some(LostHere::PathChanged)),
            Reached::Unknown => self.tell_by_words(attempt, Some(LostHere::PathNotFollowed)),
            Reached::NotUsed => self.tell_by_words(attempt, Some(LostHere::OpenNotRun)),
        }
        self.is_told(attempt.task.process);
    }

    /// At the end nothing is followed any more.
    pub(super) fn give_up_following(&mut self) {
        let numbers: Vec<u64> = self.followed.asked.keys().copied().collect();
        for number in numbers {
            self.path_led_to(number, Reached::Unknown);
        }
        self.tell_awaited(true);
    }

    /// Tells it where the words of its path are a credential's. Else it is none, or is lost for this reason.
    fn tell_by_words(&mut self, attempt: &Attempt, lost: Option<LostHere>) {
        self.accounts.received += 1;
        let places = self.knowledge.places();
        match places.match_path(&attempt.path.bytes) {
            Some(entry) => self.tell_by_path(attempt, entry, None, Parsed::unknown(NOT_FOLLOWED)),
            None if attempt.path.truncated => self.accounts.lose(LostHere::PathCut, 1),
            None => match lost {
                Some(reason) => self.accounts.lose(reason, 1),
                None => self.accounts.drop_record(Dropped::NotInCatalogue),
            },
        }
    }

    fn tell_by_path(&mut self, attempt: &Attempt, entry: &Entry, object: Option<ObjectKey>, parsed: Parsed) {
        if !entry.watches(operation(attempt.access)) {
            return self.accounts.drop_record(Dropped::NotWatched);
        }
        let process = attempt.task.process;
        // Also where a worker of the ring has opened it since, and the look through what is open has found it.
        if self.is_told_by_object(attempt, object) {
            return self.accounts.drop_record(Dropped::ToldByObject);
        }
        self.by_path.told(process, &attempt.path, object);
        let event = self.event_of_attempt(attempt, entry, object, Probe::FileOpen);
        self.push_known(event, parsed);
    }

    /// The event of an attempt of which only the path was seen, with the object where that was followed there.
    pub(super) fn event_of_attempt(
        &mut self,
        attempt: &Attempt,
        entry: &Entry,
        object: Option<ObjectKey>,
        probe: Probe,
    ) -> Event {
        let Object { key, device } = Object::from(object.unwrap_or_default());
        let used = Used {
            entry,
            path: &attempt.path,
            device,
            inode: key.inode,
            generation: key.generation,
            operation: operation(attempt.access),
            matched_by: MatchBasis::PathAsGiven,
        };
        let observation = self.observation(probe);
        let mut event = self.facts.used(
            EventKind::CredentialAccess,
            &attempt.task,
            outcome(attempt.end),
            observation,
        );
        at(&mut event, attempt.time_boot_ns, None);
        event.credential = Some(credential(&used));
        event
    }
}
