//! Events on their way out: waiting for their attribution, and sealed ones whose answer is still awaited. No clock, no channel: time and
//! answers are handed in.

use std::{
    collections::{HashMap, VecDeque},
    time::Duration,
};

use claviger_proto::v1::{Event, EventId, Identity, Process};

use super::chains::Link;
use crate::attribute::{Place, Sought};

/// Events waiting. At the bound the oldest go out as they are.
pub const PENDING_MAX: usize = 4_096;

/// Sealed events whose answer is awaited. At the bound a late answer is dropped and counted.
pub const LATE_MAX: usize = 1_024;

/// What came of an answer.
#[derive(Debug, PartialEq)]
pub(super) enum Settled {
    /// The event was still here and has it now.
    InTime,
    /// The event is sealed: this amends it.
    Late(EventId),
    /// Nobody waits for it any more.
    Unknown,
}

struct Waiting {
    event: Event,
    /// The question that it waits for.
    token: Option<u64>,
    /// Its own question, or the last one before it: never less than that of those before, so that an answer's event is found quickly.
    order: u64,
    since: Duration,
    /// Programs in it whose places it waits for.
    to_place: Vec<Sought>,
    /// Its number, where it may be behind others.
    number: Option<u64>,
    /// What may be behind it, as long as one of these has no id.
    links: Vec<Link>,
}

/// Events that go out.
#[derive(Default)]
pub(super) struct Taken {
    /// In their order.
    pub(super) events: Vec<Event>,
    /// The questions that they still wait for, by their place.
    pub(super) tokens: Vec<(usize, u64)>,
    /// The numbers of those that may be behind others, by their place.
    pub(super) numbers: Vec<(usize, u64)>,
}

impl Waiting {
    fn has_causes(&self) -> bool {
        self.links.iter().all(|link| link.cause.event.is_some())
    }
}

/// The queue.
#[derive(Default)]
pub(super) struct Pending {
    waiting: VecDeque<Waiting>,
    last_token: u64,
    late: HashMap<u64, EventId>,
    late_order: VecDeque<u64>,
    unplaced: u64,
}

impl Pending {
    /// Takes up an event at `now` (any clock that only goes forward), waiting for `token` if there is one. Tokens grow.
    pub(super) fn push(&mut self, event: Event, token: Option<u64>, now: Duration) {
        self.last_token = token.unwrap_or_default().max(self.last_token);
        self.waiting.push_back(Waiting {
            event,
            token,
            order: self.last_token,
            since: now,
            to_place: Vec::new(),
            number: None,
            links: Vec::new(),
        });
    }

    /// The event that was taken up last has this number, and waits until these have an id.
    pub(super) fn link(&mut self, number: Option<u64>, links: Vec<Link>) {
        if let Some(waiting) = self.waiting.back_mut() {
            (waiting.number, waiting.links) = (number, links);
        }
    }

    /// What has this number got this id, or none.
    pub(super) fn sealed(&mut self, number: u64, id: Option<&EventId>) {
        for waiting in &mut self.waiting {
            match id {
                Some(id) => {
                    let mut those = waiting.links.iter_mut().filter(|link| link.number == number);
                    if let Some(link) = those.next() {
                        link.cause.event = Some(id.clone());
                    }
                }
                None => waiting.links.retain(|link| link.number != number),
            }
        }
    }

    /// The event that was taken up last waits for this too.
    pub(super) fn await_place(&mut self, sought: Sought) {
        if let Some(waiting) = self.waiting.back_mut() {
            waiting.to_place.push(sought);
        }
    }

    /// It was found out where a program lies.
    pub(super) fn placed(&mut self, sought: &Sought, place: &Place) {
        for waiting in &mut self.waiting {
            let before = waiting.to_place.len();
            waiting.to_place.retain(|awaited| awaited != sought);
            let actor = waiting.event.actor.as_mut();
            if waiting.to_place.len() != before
                && let Some(process) = actor.and_then(|actor| actor.to_mut().process.as_mut())
            {
                put_in_place(process, sought, place);
            }
        }
    }

    /// Whether nothing waits.
    #[must_use]
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// How many wait.
    #[must_use]
    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    /// How many sealed events wait for an answer.
    #[must_use]
    pub(super) fn late(&self) -> usize {
        self.late.len()
    }

    /// How many went out before it was known where their program lies.
    #[must_use]
    pub(super) fn unplaced(&self) -> u64 {
        self.unplaced
    }

    /// How many of those that wait are uses.
    #[must_use]
    pub(super) fn uses(&self) -> u64 {
        self.waiting
            .iter()
            .filter(|waiting| waiting.event.actor.is_some())
            .count() as u64
    }

    /// When the oldest has waited long enough.
    #[must_use]
    pub(super) fn due(&self, delay: Duration) -> Option<Duration> {
        // What waits for another's id is ripe when that comes.
        let first = self.waiting.iter().find(|waiting| waiting.has_causes());
        first.map(|waiting| waiting.since + delay)
    }

    /// Takes up an answer.
    pub(super) fn settle(
        &mut self,
        token: u64,
        identities: &[Identity],
        unknown_reason: Option<&str>,
    ) -> Settled {
        let first = self.waiting.partition_point(|waiting| waiting.order < token);
        let found = self
            .waiting
            .range_mut(first..)
            .take_while(|waiting| waiting.order == token)
            .find(|waiting| waiting.token == Some(token));
        if let Some(waiting) = found {
            waiting.token = None;
            if let Some(credential) = &mut waiting.event.credential {
                credential.identities = identities.to_vec();
                credential.unknown_reason = unknown_reason.unwrap_or_default().to_owned();
            }
            return Settled::InTime;
        }
        self.late.remove(&token).map_or(Settled::Unknown, Settled::Late)
    }

    /// Those that go out now: at most `limit`, in their order; those that are answered, and those that have waited for `delay`.
    pub(super) fn take(&mut self, now: Duration, delay: Duration, limit: usize) -> Taken {
        let crowded = self.waiting.len() > PENDING_MAX;
        let mut taken = Taken::default();
        let mut passed_over = Vec::new();
        while taken.events.len() < limit
            && let Some(mut waiting) = self.waiting.pop_front()
        {
            let answered = waiting.token.is_none() && waiting.to_place.is_empty();
            // What is behind it goes out before it, and its id comes back.
            let ripe = (answered || waiting.since + delay <= now) && waiting.has_causes();
            if !ripe && !crowded {
                passed_over.push(waiting);
                continue;
            }
            self.unplaced += u64::from(!waiting.to_place.is_empty());
            let place = taken.events.len();
            taken.tokens.extend(waiting.token.map(|token| (place, token)));
            taken.numbers.extend(waiting.number.map(|number| (place, number)));
            let causes = waiting.links.into_iter().map(|link| link.cause);
            waiting.event.caused_by = causes.filter(|cause| cause.event.is_some()).collect();
            taken.events.push(waiting.event);
        }
        for waiting in passed_over.into_iter().rev() {
            self.waiting.push_front(waiting);
        }
        taken
    }

    /// Remembers that the answer to `token` amends a sealed event. Returns false where an older one had to be forgotten for it.
    pub(super) fn await_late(&mut self, token: u64, event: EventId) -> bool {
        self.late.insert(token, event);
        self.late_order.push_back(token);
        let mut forgotten = false;
        while self.late_order.len() > LATE_MAX {
            if let Some(oldest) = self.late_order.pop_front() {
                forgotten |= self.late.remove(&oldest).is_some();
            }
        }
        !forgotten
    }
}

fn put_in_place(process: &mut Process, sought: &Sought, place: &Place) {
    if process.exe_path == sought.path && (process.exe_device, process.exe_inode) == sought.object {
        process.exe_place = Some(place.into());
    }
    let carried = [&mut process.script, &mut process.loaded_program];
    for file in carried.into_iter().flatten() {
        if file.path == sought.path && (file.device, file.inode) == sought.object {
            file.place = Some(place.into());
        }
    }
}

#[cfg(test)]
mod tests {
    use claviger_proto::v1::{Actor, Cause, Credential};
    use claviger_sensor_common::TaskSnapshot;
    use zerocopy::FromZeros as _;

    use super::*;
    use crate::decode::Task;

    const DELAY: Duration = Duration::from_millis(100);

    fn event(sequence: u64) -> Event {
        Event {
            time_since_boot_ns: sequence,
            credential: Some(Credential::default()),
            ..Event::default()
        }
    }

    fn at(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    fn identity() -> Identity {
        Identity {
            kind: "aws_access_key_id".into(),
            id: "AKIA".into(),
            ..Identity::default()
        }
    }

    #[test]
    fn an_answer_in_time_is_in_the_event() {
        let mut pending = Pending::default();
        pending.push(event(1), Some(7), at(0));
        assert_eq!(
            pending.take(at(50), DELAY, 10).events.len(),
            0,
            "it still may be answered"
        );
        assert_eq!(pending.settle(7, &[identity()], None), Settled::InTime);
        let Taken { events, tokens, .. } = pending.take(at(50), DELAY, 10);
        assert_eq!(
            events[0].credential.as_ref().expect("kept").identities,
            [identity()]
        );
        assert_eq!(tokens, []);
    }

    #[test]
    fn each_answer_finds_its_event_among_others() {
        let mut pending = Pending::default();
        for (sequence, token) in [
            (1, None),
            (2, Some(1)),
            (3, None),
            (4, Some(5)),
            (5, None),
            (6, Some(6)),
        ] {
            pending.push(event(sequence), token, at(0));
        }
        for token in [6, 1, 5] {
            assert_eq!(
                pending.settle(token, &[identity()], None),
                Settled::InTime,
                "{token}"
            );
        }
        assert_eq!(pending.settle(2, &[identity()], None), Settled::Unknown);
        let Taken { events, .. } = pending.take(at(0), DELAY, 10);
        let identified: Vec<_> = events
            .iter()
            .filter(|event| {
                event
                    .credential
                    .as_ref()
                    .is_some_and(|found| !found.identities.is_empty())
            })
            .map(|event| event.time_since_boot_ns)
            .collect();
        assert_eq!(identified, [2, 4, 6]);
    }

    #[test]
    fn an_event_waits_no_longer_than_its_delay() {
        let mut pending = Pending::default();
        pending.push(event(1), Some(7), at(0));
        pending.push(event(2), Some(8), at(90));
        let Taken { events, tokens, .. } = pending.take(at(100), DELAY, 10);
        assert_eq!((events.len(), tokens), (1, vec![(0, 7)]));
        assert_eq!(pending.due(DELAY), Some(at(190)));
        let id = EventId {
            sequence: 1,
            ..EventId::default()
        };
        assert!(pending.await_late(7, id.clone()));
        assert_eq!(pending.settle(7, &[identity()], None), Settled::Late(id));
        assert_eq!(pending.settle(7, &[identity()], None), Settled::Unknown, "once");
    }

    #[test]
    fn what_is_awaited_is_bounded() {
        let mut pending = Pending::default();
        for token in 0..LATE_MAX as u64 {
            assert!(pending.await_late(token, EventId::default()));
        }
        assert!(
            !pending.await_late(u64::MAX, EventId::default()),
            "the oldest was forgotten, and that is told"
        );
        assert_eq!(pending.settle(0, &[], None), Settled::Unknown);
    }

    #[test]
    fn order_and_limit_hold() {
        let mut pending = Pending::default();
        for sequence in 0..5 {
            pending.push(event(sequence), None, at(0));
        }
        let Taken { events: first, .. } = pending.take(at(0), DELAY, 3);
        assert_eq!(
            first
                .iter()
                .map(|event| event.time_since_boot_ns)
                .collect::<Vec<_>>(),
            [0, 1, 2]
        );
        assert_eq!(pending.len(), 2);
    }

    #[test]
    fn an_event_waits_for_where_its_program_lies_and_has_it_then() {
        let task = Task::from(&TaskSnapshot::new_zeroed());
        let sought = Sought::of(&task, "/usr/bin/aws", (1, 2));
        let mut event = event(1);
        event.actor = Some(
            Actor {
                process: Some(Process {
                    exe_path: sought.path.clone(),
                    exe_device: 1,
                    exe_inode: 2,
                    ..Process::default()
                }),
                ..Actor::default()
            }
            .into(),
        );
        let mut pending = Pending::default();
        pending.push(event, None, at(0));
        pending.await_place(sought.clone());
        assert!(pending.take(at(1), DELAY, 10).events.is_empty());
        pending.placed(&Sought::of(&task, "/usr/bin/other", (1, 2)), &Place::hangs());
        assert!(
            pending.take(at(1), DELAY, 10).events.is_empty(),
            "that was another's"
        );
        pending.placed(&sought, &Place::hangs());
        let Taken { events, .. } = pending.take(at(1), DELAY, 10);
        assert_eq!(pending.unplaced(), 0);
        let process = events[0].actor.as_ref().and_then(|actor| actor.process.as_ref());
        assert_eq!(
            process.expect("set").exe_place,
            Some((&Place::hangs()).into()),
            "it is told"
        );
        pending.push(Event::default(), None, at(1));
        pending.await_place(sought);
        assert_eq!(pending.take(at(1) + DELAY, DELAY, 10).events.len(), 1);
        assert_eq!(pending.unplaced(), 1, "it went out before");
    }

    #[test]
    fn what_is_behind_an_event_goes_out_before_it() {
        let mut pending = Pending::default();
        let link = |number| Link {
            number,
            cause: Cause::default(),
        };
        pending.push(event(1), None, at(0));
        pending.link(Some(1), Vec::new());
        pending.push(event(2), None, at(0));
        pending.link(None, vec![link(1), link(2)]);
        let first = pending.take(at(200), DELAY, 10);
        assert_eq!((first.events.len(), first.numbers), (1, vec![(0, 1)]));
        let id = EventId {
            sequence: 9,
            ..EventId::default()
        };
        pending.sealed(1, Some(&id));
        assert_eq!(
            pending.take(at(200), DELAY, 10).events.len(),
            0,
            "the other one has none yet"
        );
        pending.sealed(2, None);
        let second = pending.take(at(200), DELAY, 10);
        let causes: Vec<_> = second.events[0]
            .caused_by
            .iter()
            .map(|cause| cause.event.clone())
            .collect();
        assert_eq!(causes, [Some(id)]);
    }
}
