//! Opens that were refused. They have no object to ask: they are known by the words of their path, and where the catalogue does not know these, by where
//! the path leads, for a link, a mount or procfs gives a credential any name.
//!
//! Anybody can be refused as often as he likes, at no cost. So of those whose path is to be followed no more than [`WAITING_MAX`] are at once, and
//! [`PER_SECOND_MAX`] in one second: neither the table nor the worker is theirs alone. What is beyond is dropped, and counted as not followed.

use claviger_proto::catalogue::Entry;
use claviger_sensor_common::ObjectKey;

use super::*;
use crate::{
    agent::{events::operation, messages::Reached},
    decode::Attempt,
};

/// Refused opens whose path is followed. At the bound a further one is dropped.
pub(in crate::agent) const WAITING_MAX: usize = 64;
/// The same, of one second.
const PER_SECOND_MAX: u32 = 256;

/// Nothing was read, so there is nothing to say of its identities.
pub(super) const REFUSED: &str = "the attempt was refused: nothing was read";

/// How many there are.
#[derive(Debug, Default)]
pub(super) struct Refused {
    waiting: usize,
    second: u64,
    of_second: u32,
}

impl Refused {
    /// Whether one more is followed, which was refused at this time.
    fn admit(&mut self, time_boot_ns: u64) -> bool {
        let second = time_boot_ns / 1_000_000_000;
        // Records of several processors come in no strict order.
        if second > self.second {
            (self.second, self.of_second) = (second, 0);
        }
        if self.waiting >= WAITING_MAX || self.of_second >= PER_SECOND_MAX {
            return false;
        }
        self.waiting += 1;
        self.of_second += 1;
        true
    }

    /// One is followed no more.
    pub(super) fn end(&mut self) {
        self.waiting = self.waiting.saturating_sub(1);
    }
}

impl<S: Sink> Agent<S> {
    /// An open was refused with this error.
    pub(super) fn refused(&mut self, attempt: Box<Attempt>, errno: u32) {
        if errno == tampering::ETXTBSY {
            // Looked at for the sensor's own program alone.
            self.accounts.received += 1;
            return self.accounts.drop_record(Dropped::NotWatched);
        }
        let places = self.knowledge.places();
        if let Some(entry) = places.match_path(&attempt.path.bytes) {
            self.accounts.received += 1;
            return self.tell_refused(&attempt, entry, None);
        }
        if attempt.path.truncated {
            self.accounts.received += 1;
            return self.accounts.lose(LostHere::PathCut, 1);
        }
        if !self.followed.refused.admit(attempt.time_boot_ns) {
            return self.refused_not_followed();
        }
        if self.ask_where_it_leads(attempt).is_err() {
            self.followed.refused.end();
            self.refused_not_followed();
        }
    }

    /// Where the path of one leads.
    pub(super) fn refused_led_to(&mut self, attempt: &Attempt, reached: Reached) {
        self.followed.refused.end();
        match reached {
            Reached::Credential { entry, object, .. } => {
                self.accounts.received += 1;
                self.tell_refused(attempt, &entry, Some(object));
            }
            // Its words are known to mean nothing.
            Reached::Other { .. } => {
                self.accounts.received += 1;
                self.accounts.drop_record(Dropped::NotInCatalogue);
            }
            Reached::Nothing => self.refused_not_followed(),
        }
    }

    fn refused_not_followed(&mut self) {
        self.accounts.received += 1;
        self.accounts.drop_record(Dropped::RefusedNotFollowed);
    }

    /// Tells one, with the object where its path was followed there.
    fn tell_refused(&mut self, attempt: &Attempt, entry: &Entry, object: Option<ObjectKey>) {
        if !entry.watches(operation(attempt.access)) {
            return self.accounts.drop_record(Dropped::NotWatched);
        }
        let event = self.event_of_attempt(attempt, entry, object, Probe::FileOpenDenied);
        self.push(event, Some(Err(REFUSED)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn no_more_wait_than_the_bound() {
        let mut refused = Refused::default();
        for at in 0..WAITING_MAX as u64 {
            assert!(refused.admit(at * SECOND));
        }
        assert!(!refused.admit(1_000 * SECOND));
        refused.end();
        assert!(refused.admit(1_000 * SECOND));
        assert!(!refused.admit(1_000 * SECOND));
    }

    #[test]
    fn no_more_are_followed_in_a_second_than_the_bound() {
        let mut refused = Refused::default();
        let mut admitted = |at: u64| {
            let is_admitted = refused.admit(at);
            if is_admitted {
                refused.end();
            }
            is_admitted
        };
        let of_first = (0..2 * PER_SECOND_MAX).filter(|_| admitted(7 * SECOND));
        assert_eq!(of_first.count(), PER_SECOND_MAX as usize);
        assert!(admitted(8 * SECOND));
        let late = (0..2 * PER_SECOND_MAX).filter(|_| admitted(8 * SECOND - 1));
        assert_eq!(
            late.count(),
            PER_SECOND_MAX as usize - 1,
            "late ones give no room"
        );
    }
}
