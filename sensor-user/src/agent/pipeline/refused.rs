//! Opens that were refused. They have no object to ask: they are known by the words of their path, and where the catalogue does not know these, by where
//! the path leads, for a link, a mount or procfs gives a credential any name.
//!
//! Anybody can be refused as often as he likes, at no cost. So of those whose path is to be followed no more than [`WAITING_MAX`] are at once, and
//! [`PER_SECOND_MAX`] in one second, and of one user's a share ([`crate::agent::shares`]): neither the table nor the worker is
//! anybody's alone. What is beyond is lost, and counted as not followed.

use claviger_proto::catalogue::Entry;
use claviger_sensor_common::ObjectKey;

use super::*;
use crate::{
    agent::{events::operation, messages::Reached, shares::Shares},
    decode::Attempt,
};

/// Refused opens whose path is followed; those of one user are a fifth of it at most. At the bound a further one is lost.
pub(in crate::agent) const WAITING_MAX: u32 = 256;
/// The same, of one second.
const PER_SECOND_MAX: u32 = 1_024;

/// Nothing was read, so there is nothing to say of its identities.
pub(super) const REFUSED: &str = "the attempt was refused: nothing was read";

/// How many there are.
#[derive(Debug)]
pub(super) struct Refused {
    waiting: Shares,
    second: u64,
    of_second: Shares,
}

impl Default for Refused {
    fn default() -> Self {
        Self {
            waiting: Shares::of(WAITING_MAX),
            second: 0,
            of_second: Shares::of(PER_SECOND_MAX),
        }
    }
}

impl Refused {
    /// Whether one more of this user is followed, which was refused at this time.
    fn admit(&mut self, user: Option<u32>, time_boot_ns: u64) -> bool {
        let second = time_boot_ns / 1_000_000_000;
        // Records of several processors come in no strict order.
        if second > self.second {
            self.second = second;
            self.of_second = Shares::of(PER_SECOND_MAX);
        }
        if !self.waiting.has_room(user) || !self.of_second.take(user) {
            return false;
        }
        self.waiting.take(user)
    }

    /// One of this user is followed no more.
    pub(super) fn end(&mut self, user: Option<u32>) {
        self.waiting.give_back(user);
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
        let user = attempt.task.uid;
        if !self.followed.refused.admit(user, attempt.time_boot_ns) {
            return self.refused_not_followed();
        }
        if self.ask_where_it_leads(attempt).is_err() {
            self.followed.refused.end(user);
            self.refused_not_followed();
        }
    }

    /// Where the path of one leads.
    pub(super) fn refused_led_to(&mut self, attempt: &Attempt, reached: Reached) {
        self.followed.refused.end(attempt.task.uid);
        match reached {
            Reached::Credential { entry, object, .. } => {
                self.accounts.received += 1;
                self.tell_refused(attempt, &entry, Some(object));
            }
            Reached::Secret(part, target) => self.tell_reach_by_path(attempt, part, target),
            Reached::Own { path, object } => self.tell_own_by_path(attempt, &path, object),
            // Its words are known to mean nothing.
            Reached::Other { .. } | Reached::Nowhere | Reached::NeverUsed => {
                self.accounts.received += 1;
                self.accounts.drop_record(Dropped::NotInCatalogue);
            }
            Reached::Changed | Reached::Unknown | Reached::NotUsed => self.refused_not_followed(),
        }
    }

    fn refused_not_followed(&mut self) {
        self.accounts.received += 1;
        self.accounts.lose(LostHere::RefusedNotFollowed, 1);
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
    const ONE: Option<u32> = Some(1_000);
    const OTHER: Option<u32> = Some(1_001);

    #[test]
    fn no_more_wait_than_the_bound_and_one_leaves_room_for_others() {
        let mut refused = Refused::default();
        let mut at = 0;
        let mut admit = |refused: &mut Refused, user| {
            at += SECOND;
            refused.admit(user, at)
        };
        for _ in 0..=WAITING_MAX / 5 {
            assert!(admit(&mut refused, ONE));
        }
        assert!(!admit(&mut refused, ONE), "the rest is for others");
        refused.end(ONE);
        assert!(admit(&mut refused, ONE));
        assert!(!admit(&mut refused, ONE));
        assert!(admit(&mut refused, OTHER));
    }

    #[test]
    fn who_is_refused_in_a_loop_uses_up_nobody_elses_share() {
        let mut refused = Refused::default();
        let mut admitted = |user, at: u64| {
            let is_admitted = refused.admit(user, at);
            if is_admitted {
                refused.end(user);
            }
            is_admitted
        };
        let of_first = (0..2 * PER_SECOND_MAX).filter(|_| admitted(ONE, 7 * SECOND));
        assert_eq!(of_first.count(), PER_SECOND_MAX as usize / 5 + 1);
        assert!(admitted(OTHER, 7 * SECOND));
        assert!(admitted(ONE, 8 * SECOND));
        let late = (0..2 * PER_SECOND_MAX).filter(|_| admitted(ONE, 8 * SECOND - 1));
        assert_eq!(
            late.count(),
            PER_SECOND_MAX as usize / 5,
            "late ones give no room"
        );
    }
}
