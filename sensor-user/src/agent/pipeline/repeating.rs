//! Repeats: read from the kernel half's map, told as counts.

use super::*;
use crate::{agent::repeats::First, attribute::start_ticks_of, error::in_one_line};

/// How often repeats are told of processes that live on.
pub(super) const REPEAT_INTERVAL: Duration = Duration::from_secs(10);

impl<S: Sink> Agent<S> {
    /// Tells the repeats of all processes, and lets go of those that have ended without a word.
    pub(super) fn tell_repeats(&mut self) {
        for process in self.repeats.processes() {
            self.tell_repeats_of(process);
            if start_ticks_of(process.pid) != Some(process.start_ticks) {
                self.let_go(process);
            }
        }
    }

    /// A process ended: nothing can be added to its counts any more.
    pub(super) fn ended(&mut self, process: ProcessKey) {
        self.tell_repeats_of(process);
        self.let_go(process);
    }

    fn tell_repeats_of(&mut self, process: ProcessKey) {
        for key in self.repeats.of(process) {
            let count = match self.kernel.repeats.count(key) {
                Ok(count) => count.unwrap_or_default(),
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
            First::File(file) => self.tell_file_use(file, Some(more)).is_ok(),
            First::Secret(secret) => self.tell_secret(secret, Some(more)).is_ok(),
        };
        if told {
            self.accounts.repeats_told += more;
        } else {
            self.accounts.repeats_dropped += more;
        }
    }
}
