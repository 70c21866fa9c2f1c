//! Files found open or mapped, of which no hook told.

use std::collections::VecDeque;

use super::*;
use crate::{
    agent::{pipeline::uses::UNKNOWN_LABEL, repeats::First},
    config::FileOpenHook,
    decode::{FilePath, Held},
    kernel::hook_name,
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

/// Whether hooks see every way to a descriptor, as LSM and fentry do.
pub(super) fn sees_all_ways(probes: &[ProbeState]) -> bool {
    let tracepoint = hook_name(FileOpenHook::Tracepoint);
    let mut opens = probes.iter().filter(|state| state.probe == Probe::FileOpen);
    opens.all(|state| state.hook.as_deref() != Some(tracepoint))
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

#[cfg(test)]
mod tests {
    use super::*;

    fn path(bytes: &[u8]) -> FilePath {
        FilePath {
            bytes: bytes.to_vec(),
            truncated: false,
        }
    }

    fn process(pid: u32) -> ProcessKey {
        ProcessKey { pid, start_ticks: 1 }
    }

    #[test]
    fn what_was_told_by_its_path_is_found_once() {
        let mut by_path = ByPath::default();
        by_path.told(process(1), &path(b"/key"));
        assert!(!by_path.take(process(2), &path(b"/key")), "another's");
        assert!(!by_path.take(process(1), &path(b"/other")));
        assert!(by_path.take(process(1), &path(b"/key")));
        assert!(!by_path.take(process(1), &path(b"/key")), "it is over");
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut by_path = ByPath::default();
        for pid in 0..=u32::try_from(BY_PATH_MAX).expect("small") {
            by_path.told(process(pid), &path(b"/key"));
        }
        assert_eq!(by_path.told.len(), BY_PATH_MAX);
        assert!(!by_path.take(process(0), &path(b"/key")), "the oldest went");
    }
}
