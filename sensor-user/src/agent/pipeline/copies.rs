//! Files that a process may have copied a credential to. A record of one is no use and makes no event: the worker finds out what it is.

use claviger_sensor_common::READERS_MAX;

use super::{uses::paths_to, *};
use crate::{
    agent::copies::Suspect,
    decode::{Access, FileOperation, Written},
};

const NOT_LOOKED_AT: &str = "copy_not_looked_at";

impl<S: Sink> Agent<S> {
    pub(super) fn written(&mut self, written: &Written) {
        let originals: Vec<_> = self
            .repeats
            .files_of(written.writer)
            .into_iter()
            .filter(|file| file.key.exec_id == written.exec_id)
            .filter(|file| file.operation != FileOperation::Open || file.access != Access::Write)
            .filter_map(|file| Some((file.object.key, self.recognise(&file).ok()?.entry)))
            .collect();
        if originals.is_empty() || written.path.truncated {
            return;
        }
        if self.writers.len() >= READERS_MAX as usize {
            self.writers.clear();
        }
        self.writers.insert(written.writer);
        let suspect = Suspect {
            writer: written.writer,
            object: written.object.key,
            paths: paths_to(written.writer, &written.path),
            originals,
        };
        if !self.worker.suspect(suspect) {
            self.not_looked_at();
        }
    }

    /// What may be a copy is not looked at.
    pub(super) fn not_looked_at(&mut self) {
        self.accounts.received += 1;
        self.accounts.lose(NOT_LOOKED_AT, 1);
    }

    /// A process ended.
    pub(super) fn writer_ended(&mut self, process: ProcessKey) {
        if self.writers.remove(&process) {
            self.worker.writer_ended(process);
        }
    }
}
