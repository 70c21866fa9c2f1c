//! Files found open or mapped, of which no hook told.

use std::collections::VecDeque;

use super::*;
use crate::{
    agent::{pipeline::uses::UNKNOWN_LABEL, repeats::First},
    decode::{FilePath, Held},
};

/// Uses that were told by their path, as somebody who has the file open is found.
const TOLD_BY_PATH: &str = "told_by_path";

/// Opens told by their path alone that are remembered. At the bound the oldest is forgotten: its descriptor, when it is found, is then told
/// once more.
const BY_PATH_MAX: usize = 1_024;

/// Opens whose end was not seen, so that only their path was told.
#[derive(Default)]
pub(super) struct ByPath {
    told: VecDeque<(ProcessKey, Vec<u8>)>,
}

impl ByPath {
    /// One was told.
    pub(super) fn told(&mut self, process: ProcessKey, path: &FilePath) {
        if self.told.len() >= BY_PATH_MAX {
            self.told.pop_front();
        }
        self.told.push_back((process, path.bytes.clone()));
    }

    /// Whether one was told, which is then over.
    fn take(&mut self, process: ProcessKey, path: &FilePath) -> bool {
        let found = self
            .told
            .iter()
            .position(|(of, told)| *of == process && *told == path.bytes);
        found.and_then(|place| self.told.remove(place)).is_some()
    }
}

impl<S: Sink> Agent<S> {
    /// A file was found open: told, unless it was told by its path. It is told once, and its key kept until the process has ended.
    pub(super) fn held(&mut self, held: &Held) {
        let process = held.file.task.process;
        if self.by_path.take(process, &held.file.path) {
            self.accounts.received += 1;
            self.accounts.drop_record(TOLD_BY_PATH);
        } else if self.tell_file_use(&held.file, None, Some(held)) == Err(UNKNOWN_LABEL) {
            return;
        }
        self.repeats.keep(held.file.key, process, First::Dropped);
    }
}
