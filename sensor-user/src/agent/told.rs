//! Who acted and which hook saw it, as they were told last: what a process does in a row is told of one and the same actor, put together once.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use claviger_proto::{
    Shared,
    v1::{Actor, Observation, Workload},
};
use claviger_sensor_common::Probe;

use crate::decode::Task;

/// Tasks kept; what more act in turns is put together anew each time. At the bound the one that was told of first is let go.
pub(super) const TOLD_MAX: usize = 64;

/// What is told holds for so long at most; names of users and cgroups are looked up anew then.
const HOLDS_FOR: Duration = Duration::from_secs(1);

/// Who, and on whose behalf.
pub(super) type Who = (Shared<Actor>, Shared<Workload>);

struct Told {
    task: Task,
    /// How often the process table had changed.
    changes: u64,
    at: Instant,
    who: Who,
}

/// Tasks that were told of last.
#[derive(Default)]
pub(super) struct ToldActors {
    last: VecDeque<Told>,
}

impl ToldActors {
    /// What was told of a task, where that cannot have changed since.
    pub(super) fn of(&self, task: &Task, changes: u64) -> Option<Who> {
        let told = self.last.iter().rev().find(|told| told.task == *task)?;
        (told.changes == changes && told.at.elapsed() < HOLDS_FOR).then(|| told.who.clone())
    }

    /// Takes up what is told of a task now.
    pub(super) fn keep(&mut self, task: &Task, changes: u64, who: Who) {
        self.last.retain(|told| told.task != *task);
        if self.last.len() >= TOLD_MAX {
            self.last.pop_front();
        }
        self.last.push_back(Told {
            task: task.clone(),
            changes,
            at: Instant::now(),
            who,
        });
    }
}

/// The hooks of probes, as they were told last; one for each probe.
#[derive(Default)]
pub(super) struct ToldHooks {
    of: Vec<(Probe, Shared<Observation>)>,
}

impl ToldHooks {
    /// An observation by the hook that a probe has now.
    pub(super) fn observation(&mut self, probe: Probe, hook: Option<&str>) -> Shared<Observation> {
        let hook = hook.unwrap_or_default();
        let known = self.of.iter().position(|(of, _)| *of == probe);
        match known.and_then(|place| self.of.get(place)) {
            Some((_, told)) if told.hook == hook => return told.clone(),
            _ => {}
        }
        let told = Shared::from(Observation {
            probe: probe.word().to_owned(),
            hook: hook.to_owned(),
        });
        match known.and_then(|place| self.of.get_mut(place)) {
            Some((_, before)) => *before = told.clone(),
            None => self.of.push((probe, told.clone())),
        }
        told
    }
}

#[cfg(test)]
mod tests {
    use claviger_sensor_common::TaskSnapshot;
    use zerocopy::FromZeros as _;

    use super::*;

    fn task(pid: u32) -> Task {
        let mut snapshot = TaskSnapshot::new_zeroed();
        snapshot.pid = pid;
        Task::from(&snapshot)
    }

    fn who(host: &str) -> Who {
        let workload = Workload {
            host: host.to_owned(),
            ..Workload::default()
        };
        (Shared::default(), workload.into())
    }

    #[test]
    fn it_holds_while_nothing_changes() {
        let mut told = ToldActors::default();
        told.keep(&task(1), 7, who("a"));
        assert_eq!(told.of(&task(1), 7), Some(who("a")));
        assert_eq!(told.of(&task(1), 8), None, "a process began, changed or ended");
        assert_eq!(told.of(&task(2), 7), None);
        let mut elsewhere = task(1);
        elsewhere.cgroup_id = 4;
        assert_eq!(told.of(&elsewhere, 7), None, "it is not as it was");
        told.keep(&task(1), 8, who("b"));
        assert_eq!(told.of(&task(1), 8), Some(who("b")));
    }

    #[test]
    fn a_hook_is_told_as_it_is_now() {
        let mut told = ToldHooks::default();
        let open = told.observation(Probe::FileOpen, Some("lsm/file_open"));
        assert_eq!(
            (open.probe.as_str(), open.hook.as_str()),
            ("file_open", "lsm/file_open")
        );
        assert_eq!(told.observation(Probe::FileOpen, Some("lsm/file_open")), open);
        assert_eq!(told.observation(Probe::FileOpen, None).hook, "", "it went blind");
        assert_eq!(
            told.observation(Probe::FileMapped, Some("fexit/mmap")).probe,
            "file_mapped"
        );
        assert_eq!(told.of.len(), 2);
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let mut told = ToldActors::default();
        for pid in 0..200 {
            told.keep(&task(pid), 0, who("a"));
        }
        assert_eq!(told.last.len(), TOLD_MAX);
        assert!(told.of(&task(0), 0).is_none() && told.of(&task(199), 0).is_some());
    }
}
