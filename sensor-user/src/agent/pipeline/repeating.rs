//! Repeats: read from the kernel half's map, told as counts.

use super::*;
use crate::{agent::repeats::First, attribute::start_ticks_of, decode::ticks, error::in_one_line};

/// How often repeats are told of a process that lives on, in turns of [`HOUSEKEEPING`]. Some processes have their turn each time: to ask for the
/// counts of all at once takes so long that the ring would fill.
const TURNS: usize = 10;

/// The processes whose turn has yet to come.
#[derive(Default)]
pub(super) struct Turns {
    waiting: Vec<ProcessKey>,
    /// Turns that are left until it begins anew.
    left: usize,
}

impl Turns {
    /// Whose turn it is. Begins anew, with all that there are then, after [`TURNS`] turns, however few had theirs in these; at once where there was
    /// nobody.
    fn next(&mut self, all: impl FnOnce() -> Vec<ProcessKey>) -> Vec<ProcessKey> {
        if self.left == 0 {
            self.waiting = all();
            self.left = if self.waiting.is_empty() { 0 } else { TURNS };
        }
        let now = self.waiting.len().div_ceil(self.left.max(1));
        self.left = self.left.saturating_sub(1);
        self.waiting.split_off(self.waiting.len().saturating_sub(now))
    }
}

/// Whether a process has ended, and what is read of it then. In this order: what it counted before it ended is read after that.
fn with_last_word<T>(has_ended: impl FnOnce() -> bool, read: impl FnOnce() -> T) -> (bool, T) {
    let has_ended = has_ended();
    (has_ended, read())
}

impl<S: Sink> Agent<S> {
    /// Tells the repeats of all processes.
    pub(super) fn tell_repeats(&mut self) {
        self.tell_repeats_of_these(self.repeats.processes());
    }

    /// Tells the repeats of the processes whose turn it is.
    pub(super) fn tell_some_repeats(&mut self) {
        let these = self.repeat_turns.next(|| self.repeats.processes());
        self.tell_repeats_of_these(these);
    }

    /// Tells their repeats, and lets go of those that have ended without a word.
    fn tell_repeats_of_these(&mut self, processes: Vec<ProcessKey>) {
        for process in processes {
            let has_ended = || start_ticks_of(process.pid) != Some(process.start_ticks);
            let (has_ended, ()) = with_last_word(has_ended, || self.tell_repeats_of(process));
            if has_ended {
                self.let_go(process);
            }
        }
    }

    /// Lets go of counts of ended processes whose first use is not known here: its record could not be read, or there was no room. What they count is
    /// lost. `at_the_end`, so is what those of living ones count: nobody will read it any more.
    pub(super) fn sweep_repeats(&mut self, at_the_end: bool) {
        let all = match self.kernel.repeats.all() {
            Ok(all) => all,
            Err(error) => {
                tracing::error!(error = %in_one_line(&error), "repeats cannot be read");
                return;
            }
        };
        // A count is made after its record went out, so the records of all these have come in when the ring is empty.
        while self.drain() == DRAIN_MAX {}
        for (key, _) in all {
            if self.repeats.holds(key) {
                continue;
            }
            let start_ticks = ticks(key.start_boottime_ns);
            let has_ended = || at_the_end || start_ticks_of(key.pid) != Some(start_ticks);
            let (has_ended, count) = with_last_word(has_ended, || self.kernel.repeats.count(key));
            if !has_ended {
                continue;
            }
            match count.and_then(|count| self.kernel.repeats.forget(key).map(|()| count)) {
                Ok(Some(count)) if count > 0 => {
                    self.accounts.received += count;
                    self.accounts.lose(LostHere::UnknownRepeat, count);
                }
                Ok(_) => {}
                Err(error) => {
                    tracing::error!(error = %in_one_line(&error), "a count that is no longer needed stays");
                }
            }
        }
    }

    /// A process ended: nothing can be added to its counts any more.
    pub(super) fn ended(&mut self, process: ProcessKey) {
        self.tell_repeats_of(process);
        self.let_go(process);
    }

    /// Tells the repeats of one process.
    pub(super) fn tell_repeats_of(&mut self, process: ProcessKey) {
        for key in self.repeats.of(process) {
            let count = match self.kernel.repeats.count(key) {
                Ok(Some(count)) => count,
                Ok(None) => {
                    self.repeats.missed(key, process);
                    continue;
                }
                Err(error) => {
                    tracing::error!(error = %in_one_line(&error), "repeats cannot be read");
                    continue;
                }
            };
            if let Some((first, more)) = self.repeats.grown(key, count) {
                self.repeated(&first, more);
            }
        }
    }

    fn let_go(&mut self, process: ProcessKey) {
        self.keep_uses_of_ended(process);
        for key in self.repeats.of(process) {
            if let Err(error) = self.kernel.repeats.forget(key) {
                tracing::error!(error = %in_one_line(&error), "a count that is no longer needed stays");
            }
        }
        self.repeats.forget(process);
    }

    fn repeated(&mut self, first: &First, more: u64) {
        let told = match first {
            First::Dropped => false,
            First::File(file) => self.tell_file_use(file, Some(more), None).is_ok(),
            First::List(list) => self.tell_listing(list, Some(more)).is_ok(),
            First::Secret(secret) => self.tell_secret(secret, Some(more)).is_ok(),
            First::Key(key) => {
                self.tell_key(key, Some(more));
                true
            }
            First::Socket(socket) => self.tell_agent_socket_again(socket, more).is_ok(),
            First::Tamper(tamper) => self.tell_tamper(tamper, Some(more)).is_ok(),
        };
        if told {
            self.accounts.repeats_told += more;
        } else {
            self.accounts.repeats_dropped += more;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_has_its_turn_before_any_has_another() {
        for (count, at_once) in [(1, 1), (10, 1), (11, 2), (95, 10)] {
            let all: Vec<ProcessKey> = (0..count).map(|pid| ProcessKey { pid, start_ticks: 1 }).collect();
            let mut turns = Turns::default();
            let mut had = Vec::new();
            for _ in 0..TURNS {
                let these = turns.next(|| all.clone());
                assert!(these.len() <= at_once, "{count}: {these:?}");
                had.extend(these);
            }
            had.sort();
            assert_eq!(had, all);
            assert_eq!(turns.next(|| all.clone()).len(), at_once, "it begins anew");
        }
    }

    #[test]
    fn what_a_process_counts_while_it_is_asked_whether_it_has_ended_is_read() {
        let count = std::cell::Cell::new(1);
        let ends = || {
            count.set(count.get() + 1);
            true
        };
        assert_eq!(with_last_word(ends, || count.get()), (true, 2));
    }

    #[test]
    fn where_there_is_nobody_the_first_is_not_waited_for() {
        let mut turns = Turns::default();
        assert_eq!(turns.next(Vec::new), []);
        let one = ProcessKey {
            pid: 1,
            start_ticks: 1,
        };
        assert_eq!(turns.next(|| vec![one]), [one]);
    }
}
