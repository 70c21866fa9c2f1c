//! Requests that wait for their answers: the answers of a connection come in the order of its requests, so each request keeps its place until it is answered, also
//! once it was told without.

use std::{
    collections::{HashMap, VecDeque},
    time::Duration,
};

use claviger_proto::v1::Event;

/// For so long an event waits for its answer. What is answered later is told without.
pub(super) const ANSWER: Duration = Duration::from_secs(2);
/// Behind the last request of a connection, places are kept for so long: what is answered later has no request any more.
const KEPT: Duration = Duration::from_secs(600);
/// Events that wait. At the bound one is told without its answer.
const EVENTS_MAX: usize = 1_024;
/// Places of requests, of all connections. At the bound answers on one are nobody's.
const PLACES_MAX: usize = 16_384;
/// Connections. At the bound those that come are told without answers, and so that none is taken for another's, for as long as places are kept.
const CONNECTIONS_MAX: usize = 4_096;

/// What waits, by connection.
#[derive(Default)]
pub(super) struct Unanswered {
    connections: HashMap<u64, Waiting>,
    events: usize,
    places: usize,
    /// When connections can be taken again.
    full_until: Duration,
}

/// What waits on one connection.
#[derive(Default)]
struct Waiting {
    /// First to last, each with when it was asked; nothing in the place of one that is not told, or was.
    requests: VecDeque<(Duration, Option<Box<Event>>)>,
    /// Some were not seen: which request an answer is of is not known.
    is_lost: bool,
    last: Duration,
}

impl Unanswered {
    /// Something was asked for, which is told by this event, or not told. Gives back what is to be told without an answer.
    pub(super) fn ask(&mut self, cookie: u64, event: Option<Box<Event>>, now: Duration) -> Vec<Event> {
        if !self.connections.contains_key(&cookie) {
            if self.connections.len() >= CONNECTIONS_MAX {
                self.full_until = now + KEPT;
            }
            if now < self.full_until {
                return event.map(|event| *event).into_iter().collect();
            }
        }
        let waiting = self.connections.entry(cookie).or_default();
        waiting.last = now;
        if waiting.is_lost {
            return event.map(|event| *event).into_iter().collect();
        }
        if self.places >= PLACES_MAX {
            let mut told = self.lose(cookie, now);
            told.extend(event.map(|event| *event));
            return told;
        }
        self.places += 1;
        if event.is_some() && self.events >= EVENTS_MAX {
            waiting.requests.push_back((now, None));
            return event.map(|event| *event).into_iter().collect();
        }
        self.events += usize::from(event.is_some());
        waiting.requests.push_back((now, event));
        Vec::new()
    }

    /// Some of a connection was not seen. Gives back what waited on it.
    pub(super) fn lose(&mut self, cookie: u64, now: Duration) -> Vec<Event> {
        let Some(waiting) = self.connections.get_mut(&cookie) else {
            // One on which nothing was asked yet may be asked something next.
            if self.connections.len() < CONNECTIONS_MAX {
                let is_lost = true;
                self.connections.insert(
                    cookie,
                    Waiting {
                        is_lost,
                        last: now,
                        ..Waiting::default()
                    },
                );
            } else {
                self.full_until = now + KEPT;
            }
            return Vec::new();
        };
        waiting.is_lost = true;
        let requests = std::mem::take(&mut waiting.requests);
        self.places -= requests.len();
        let events: Vec<_> = requests
            .into_iter()
            .filter_map(|(_, event)| event.map(|event| *event))
            .collect();
        self.events -= events.len();
        events
    }

    /// Whether something waits on a connection.
    pub(super) fn waits(&self, cookie: u64) -> bool {
        let waiting = self.connections.get(&cookie);
        waiting.is_some_and(|waiting| !waiting.requests.is_empty())
    }

    /// A connection begins anew. Gives back what waited on it.
    pub(super) fn forget(&mut self, cookie: u64) -> Vec<Event> {
        let without = match self.connections.get(&cookie) {
            Some(waiting) => self.lose(cookie, waiting.last),
            None => Vec::new(),
        };
        self.connections.remove(&cookie);
        without
    }

    /// What was asked for first on a connection was answered; its event, where it still waits.
    pub(super) fn answered(&mut self, cookie: u64) -> Option<Box<Event>> {
        let waiting = self.connections.get_mut(&cookie)?;
        let (_, event) = waiting.requests.pop_front()?;
        self.places -= 1;
        self.events -= usize::from(event.is_some());
        if waiting.requests.is_empty() {
            self.connections.remove(&cookie);
        }
        event
    }

    /// What has waited for long enough, or all.
    pub(super) fn ripe(&mut self, now: Duration, all: bool) -> Vec<Event> {
        let mut ripe = Vec::new();
        let places = &mut self.places;
        self.connections.retain(|_, waiting| {
            for (since, event) in &mut waiting.requests {
                if all || *since + ANSWER <= now {
                    ripe.extend(event.take().map(|event| *event));
                }
            }
            let is_kept = now < waiting.last + KEPT;
            if !is_kept {
                *places -= waiting.requests.len();
            }
            is_kept
        });
        self.events -= ripe.len();
        ripe
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Borrow;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);
    const NONE: [u32; 0] = [];

    fn event(sequence: u32) -> Option<Box<Event>> {
        Some(Box::new(Event {
            errno: sequence,
            ..Event::default()
        }))
    }

    fn numbers(events: impl IntoIterator<Item = impl Borrow<Event>>) -> Vec<u32> {
        events.into_iter().map(|event| event.borrow().errno).collect()
    }

    #[test]
    fn answers_are_those_of_the_requests_in_order() {
        let mut unanswered = Unanswered::default();
        for number in 1..=2 {
            assert!(unanswered.ask(7, event(number), SECOND).is_empty());
        }
        assert!(unanswered.ask(8, None, SECOND).is_empty());
        assert_eq!(numbers(unanswered.answered(7)), [1]);
        assert_eq!(numbers(unanswered.answered(8)), NONE);
        assert_eq!(numbers(unanswered.answered(7)), [2]);
        assert_eq!(numbers(unanswered.answered(7)), NONE);
        assert!(unanswered.connections.is_empty());
        assert_eq!((unanswered.events, unanswered.places), (0, 0));
    }

    #[test]
    fn a_late_answer_is_not_taken_for_that_of_the_request_behind() {
        let mut unanswered = Unanswered::default();
        unanswered.ask(7, event(1), SECOND);
        assert_eq!(numbers(unanswered.ripe(4 * SECOND, false)), [1]);
        unanswered.ask(7, event(2), 4 * SECOND);
        assert_eq!(numbers(unanswered.answered(7)), NONE, "it was told");
        assert_eq!(numbers(unanswered.answered(7)), [2]);
        assert_eq!((unanswered.events, unanswered.places), (0, 0));
    }

    #[test]
    fn what_finds_no_room_keeps_its_place() {
        let mut unanswered = Unanswered::default();
        for number in 0..EVENTS_MAX {
            unanswered.ask(number as u64, event(1), SECOND);
        }
        assert_eq!(numbers(unanswered.ask(0, event(2), SECOND)), [2]);
        assert_eq!(numbers(unanswered.answered(1)), [1]);
        assert!(unanswered.ask(0, event(3), SECOND).is_empty());
        let answers: Vec<_> = (0..3).map(|_| numbers(unanswered.answered(0))).collect();
        assert_eq!(answers, [vec![1], vec![], vec![3]]);
    }

    #[test]
    fn where_some_was_not_seen_no_answer_is_any_requests() {
        let mut unanswered = Unanswered::default();
        unanswered.ask(7, event(1), SECOND);
        assert_eq!(numbers(unanswered.lose(7, SECOND)), [1]);
        assert_eq!(numbers(unanswered.ask(7, event(2), SECOND)), [2]);
        assert_eq!(numbers(unanswered.answered(7)), NONE);
        // Until it begins anew.
        assert_eq!(numbers(unanswered.forget(7)), NONE);
        unanswered.ask(7, event(4), SECOND);
        assert!(unanswered.waits(7));
        assert_eq!(numbers(unanswered.forget(7)), [4]);
        assert!(!unanswered.waits(7));
        // Also where nothing was asked before.
        assert_eq!(numbers(unanswered.lose(8, SECOND)), NONE);
        assert_eq!(numbers(unanswered.ask(8, event(3), SECOND)), [3]);
        assert_eq!((unanswered.events, unanswered.places), (0, 0));
        assert!(unanswered.ripe(SECOND + KEPT, false).is_empty());
        assert!(unanswered.connections.is_empty());
    }

    #[test]
    fn a_connection_that_asks_without_end_takes_no_more_than_the_bound() {
        let mut unanswered = Unanswered::default();
        for _ in 0..PLACES_MAX {
            unanswered.ask(7, None, SECOND);
        }
        assert_eq!(numbers(unanswered.ask(7, event(1), SECOND)), [1]);
        assert_eq!(unanswered.places, 0);
        assert!(unanswered.ask(8, event(2), SECOND).is_empty());
        assert_eq!(numbers(unanswered.answered(8)), [2]);
    }

    #[test]
    fn where_connections_are_too_many_no_answer_is_anothers() {
        let mut unanswered = Unanswered::default();
        for cookie in 0..CONNECTIONS_MAX as u64 {
            unanswered.ask(cookie, None, SECOND);
        }
        let other = CONNECTIONS_MAX as u64;
        assert_eq!(numbers(unanswered.ask(other, event(1), SECOND)), [1]);
        assert!(unanswered.answered(0).is_none());
        // There is room again, but an answer that comes may be that of the one before.
        assert_eq!(numbers(unanswered.ask(other, event(2), SECOND)), [2]);
        assert!(unanswered.answered(other).is_none());
        assert!(unanswered.ripe(2 * SECOND + KEPT, false).is_empty());
        assert!(unanswered.ask(other, event(3), 2 * SECOND + KEPT).is_empty());
        assert_eq!(numbers(unanswered.ripe(2 * SECOND + KEPT, true)), [3]);
        assert_eq!(unanswered.events, 0);
    }
}
