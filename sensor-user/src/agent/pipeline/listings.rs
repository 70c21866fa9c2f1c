//! Listings of directories in which credentials lie.

use claviger_proto::v1::Discovery;

use super::*;
use crate::{agent::repeats::First, decode::DirectoryList};

impl<S: Sink> Agent<S> {
    pub(super) fn listed(&mut self, list: DirectoryList) {
        if self.tell_listing(&list, None) == Err(NotTold::Lost(LostHere::UnknownLabel)) {
            // Its repeats are lost as it is.
            return;
        }
        self.repeats
            .keep(list.key, list.task.process, First::List(Box::new(list)));
    }

    /// Tells a listing, or why it cannot be told. With `repeats`, so many repeats of it, now.
    pub(super) fn tell_listing(&mut self, list: &DirectoryList, repeats: Option<u64>) -> Result<(), NotTold> {
        self.accounts.received += 1;
        let is_known = self.knowledge.labels().meaning(list.label).is_some();
        if !is_known {
            return Err(self.lose_label(repeats));
        }
        let observation = self.observation(Probe::DirectoryList);
        let mut event = self.facts.used(
            EventKind::CredentialDiscovery,
            &list.task,
            (Outcome::Succeeded, 0),
            observation,
        );
        at(&mut event, list.time_boot_ns, repeats);
        event.discovery = Some(Box::new(Discovery {
            path: list.path.display(),
            device: list.object.device,
            inode: list.object.key.inode,
        }));
        self.push(event, None);
        Ok(())
    }
}
