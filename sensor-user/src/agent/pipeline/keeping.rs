//! Batches on their way to the sink, and what comes back of them.

use super::*;
use crate::{agent::pending::Taken, credential::Parsed};

/// What is being kept: for each batch, oldest first, the questions whose answers its events still wait for, by their place in it. An answer that comes
/// meanwhile is put by until the event has its id.
#[derive(Default)]
pub(super) struct Keeping {
    batches: VecDeque<Batch>,
    answers: HashMap<u64, Option<Parsed>>,
}

/// An event by its place, what it waits for, and what was put by for it.
type Awaited = (usize, u64, Option<Parsed>);

/// What is asked of a batch, by the places of its events.
#[derive(Default)]
struct Batch {
    /// Questions.
    tokens: Vec<(usize, u64)>,
    /// Numbers of those that may be behind others.
    numbers: Vec<(usize, u64)>,
}

impl Keeping {
    /// A batch was given.
    fn give(&mut self, tokens: Vec<(usize, u64)>, numbers: Vec<(usize, u64)>) {
        self.answers
            .extend(tokens.iter().map(|(_, token)| (*token, None)));
        self.batches.push_back(Batch { tokens, numbers });
    }

    /// The oldest one came back: which of its events wait for what, and what was put by for them; and the numbers of some.
    fn take_back(&mut self) -> (Vec<Awaited>, Vec<(usize, u64)>) {
        let Batch { tokens, numbers } = self.batches.pop_front().unwrap_or_default();
        let awaited = tokens
            .into_iter()
            .map(|(place, token)| (place, token, self.answers.remove(&token).flatten()))
            .collect();
        (awaited, numbers)
    }

    /// Puts an answer by; gives it back where its event is not being kept.
    pub(super) fn put_by(&mut self, token: u64, parsed: Parsed) -> Option<Parsed> {
        match self.answers.get_mut(&token) {
            Some(answer) => {
                *answer = Some(parsed);
                None
            }
            None => Some(parsed),
        }
    }
}

impl<S: Sink> Agent<S> {
    /// Gives a batch to be kept.
    pub(super) fn deliver(&mut self, taken: Taken) {
        let Taken {
            events,
            tokens,
            numbers,
        } = taken;
        while let Some(delivered) = self.keeper.next_now() {
            self.kept(&delivered);
        }
        let uses = events.iter().filter(|event| event.actor.is_some()).count() as u64;
        // As they were told last: to read the kernel half's accounts for each batch would take a tenth of the time there is in a flood.
        let mut losses = self.told.clone();
        losses.extend(self.accounts.losses_behind());
        // Where nobody takes it the agent ends, and says so.
        if self.keeper.give(events, losses) {
            self.keeping.give(tokens, numbers);
            self.accounts.delivered += uses;
        }
    }

    /// A batch was kept, as far as it could be.
    pub(super) fn kept(&mut self, delivered: &Delivered) {
        self.last_id = delivered.ids.last().or(self.last_id.take());
        let (awaited, numbers) = self.keeping.take_back();
        for (place, number) in numbers {
            let id = delivered.ids.get(place as u64);
            self.pending.sealed(number, id.as_ref());
            self.chains.sealed(number, id);
        }
        for (place, token, answer) in awaited {
            let Some(id) = delivered.ids.get(place as u64) else {
                continue;
            };
            if !self.pending.await_late(token, id) {
                self.accounts.forgotten_answers += 1;
            }
            if let Some(parsed) = answer {
                self.identified(token, parsed);
            }
        }
        for loss in &delivered.lost {
            self.accounts.lose_behind(&loss.reason, loss.count);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_that_comes_while_its_event_is_being_kept_is_put_by() {
        let mut keeping = Keeping::default();
        keeping.give(vec![(0, 7), (3, 8)], Vec::new());
        keeping.give(vec![(1, 9)], vec![(0, 1)]);
        assert!(
            keeping.put_by(6, Parsed::default()).is_some(),
            "it is not being kept"
        );
        assert!(keeping.put_by(8, Parsed::default()).is_none());
        assert!(keeping.put_by(9, Parsed::default()).is_none());
        let places = |back: Vec<Awaited>| -> Vec<_> {
            back.into_iter()
                .map(|(place, token, answer)| (place, token, answer.is_some()))
                .collect()
        };
        assert_eq!(places(keeping.take_back().0), [(0, 7, false), (3, 8, true)]);
        let (awaited, numbers) = keeping.take_back();
        assert_eq!((places(awaited), numbers), (vec![(1, 9, true)], vec![(0, 1)]));
        assert!(
            keeping.put_by(8, Parsed::default()).is_some(),
            "it was given back"
        );
    }
}
