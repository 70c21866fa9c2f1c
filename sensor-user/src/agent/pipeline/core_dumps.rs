//! Cores of processes that may have held a credential.

use claviger_proto::v1::ProcessSecret as Part;

use super::*;
use crate::{
    attribute::{Dumped, core_path, is_own_pid_namespace},
    decode::CoreDump,
};

impl<S: Sink> Agent<S> {
    pub(super) fn core_written(&mut self, dump: &CoreDump) {
        self.accounts.received += 1;
        let task = &dump.task;
        let written_to = core_path(&Dumped {
            pid: is_own_pid_namespace(task.pid_namespace).then_some(task.process.pid),
            uid: task.uid,
            gid: task.gid,
            signal: dump.signal,
            directory: &dump.directory,
        });
        let observation = self.observation(Probe::CoreDump);
        let mut event = self.facts.used(
            EventKind::ProcessSecretAccess,
            task,
            (Outcome::Succeeded, 0),
            observation,
        );
        at(&mut event, dump.time_boot_ns, None);
        event.process_secret = Some(Box::new(Part {
            target: Some(self.facts.process(task.run(), &task.comm)),
            part: "core".to_owned(),
            written_to: written_to.unwrap_or_default(),
            signal: dump.signal,
            ..Part::default()
        }));
        self.push(event, None);
    }
}
