//! The processes of this host, kept by events and seeded from /proc.

use std::collections::{HashMap, HashSet, VecDeque};

use super::proc_fs;
use crate::decode::{Exec, ProcessKey};

/// Living processes kept. At the bound a new one is not kept (it is looked up in /proc when it matters) and counted.
pub const LIVE_MAX: usize = 65_536;

/// Ended processes kept, so that a use reported after its process's end, or a parent's, can still be named. The oldest goes first.
pub const ENDED_MAX: usize = 4_096;

/// Processes remembered of which /proc tells no more than is known: kernel threads, which have no executable, and those that are gone. At the
/// bound all are forgotten, and each is asked for once more.
pub const FRUITLESS_MAX: usize = 4_096;

/// What is known of a process beside its key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProcessFacts {
    /// Command name of the leader.
    pub comm: String,
    /// Path of the executable as shown at exec.
    pub exe_path: String,
    /// Real user id.
    pub uid: Option<u32>,
    /// Its parent when it was created.
    pub parent: Option<ProcessKey>,
}

/// The table.
#[derive(Debug, Default)]
pub struct ProcessTable {
    facts: HashMap<ProcessKey, ProcessFacts>,
    /// The process that has a pid now, or had it last; only of those in `facts`.
    latest: HashMap<u32, ProcessKey>,
    ended: VecDeque<ProcessKey>,
    /// /proc is not asked again for these: the ancestors of a busy process would be looked up at each of its uses.
    fruitless: HashSet<ProcessKey>,
    not_kept: u64,
}

impl ProcessTable {
    /// Takes up the processes that run now. Call after the probes are attached, so that none falls between.
    pub fn seed(&mut self) {
        for pid in proc_fs::pids() {
            if let Some((key, facts)) = proc_fs::read_process(pid) {
                self.keep(key, facts);
            }
        }
    }

    /// A process was created: until it starts a program it runs its parent's.
    pub fn fork(&mut self, child: ProcessKey, parent: ProcessKey) {
        let facts = ProcessFacts {
            parent: Some(parent),
            ..self.facts.get(&parent).cloned().unwrap_or_default()
        };
        self.keep(child, facts);
    }

    /// A process started a program.
    pub fn exec(&mut self, exec: &Exec) {
        let parent = self
            .facts
            .get(&exec.task.process)
            .and_then(|facts| facts.parent)
            .or(exec.task.ancestors.first().copied());
        let facts = ProcessFacts {
            comm: exec.task.comm.clone(),
            exe_path: exec.exe.display(),
            uid: exec.task.uid,
            parent,
        };
        self.fruitless.remove(&exec.task.process);
        self.keep(exec.task.process, facts);
    }

    /// A process ended.
    pub fn exit(&mut self, process: ProcessKey) {
        if !self.facts.contains_key(&process) {
            return;
        }
        self.ended.push_back(process);
        if self.ended.len() > ENDED_MAX
            && let Some(oldest) = self.ended.pop_front()
        {
            self.facts.remove(&oldest);
            if self.latest.get(&oldest.pid) == Some(&oldest) {
                self.latest.remove(&oldest.pid);
            }
        }
    }

    /// What is known of a process. One that is not in the table is looked up in /proc and believed only if its start is the same.
    pub fn describe(&mut self, process: ProcessKey) -> Option<&ProcessFacts> {
        let known = self
            .facts
            .get(&process)
            .is_some_and(|facts| !facts.exe_path.is_empty());
        if !known && !self.fruitless.contains(&process) {
            let found = proc_fs::read_process(process.pid).filter(|(key, _)| *key == process);
            if found.as_ref().is_none_or(|(_, facts)| facts.exe_path.is_empty()) {
                if self.fruitless.len() >= FRUITLESS_MAX {
                    self.fruitless.clear();
                }
                self.fruitless.insert(process);
            }
            if let Some((key, facts)) = found {
                self.keep(key, facts);
            }
        }
        self.facts.get(&process)
    }

    /// The process that had this pid, of the initial pid namespace, when the last record came in.
    #[must_use]
    pub fn with_pid(&self, pid: u32) -> Option<ProcessKey> {
        self.latest.get(&pid).copied()
    }

    /// Whether a process is `root` or was created, through however many others, by it.
    #[must_use]
    pub fn descends_from(&self, process: ProcessKey, root: ProcessKey) -> bool {
        let mut at = Some(process);
        for _ in 0..1_024 {
            match at {
                Some(found) if found == root => return true,
                Some(found) => at = self.facts.get(&found).and_then(|facts| facts.parent),
                None => return false,
            }
        }
        false
    }

    /// How many processes are in the table.
    #[must_use]
    pub fn len(&self) -> usize {
        self.facts.len()
    }

    /// Whether the table holds nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.facts.is_empty()
    }

    /// How many of them have ended.
    #[must_use]
    pub fn ended(&self) -> usize {
        self.ended.len()
    }

    /// How many processes are not asked for again.
    #[must_use]
    pub fn fruitless(&self) -> usize {
        self.fruitless.len()
    }

    /// How many processes were not kept because the table was full.
    #[must_use]
    pub fn not_kept(&self) -> u64 {
        self.not_kept
    }

    fn keep(&mut self, key: ProcessKey, facts: ProcessFacts) {
        if self.facts.len() >= LIVE_MAX + ENDED_MAX && !self.facts.contains_key(&key) {
            self.not_kept += 1;
            return;
        }
        self.facts.insert(key, facts);
        let latest = self.latest.entry(key.pid).or_insert(key);
        *latest = (*latest).max(key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(pid: u32) -> ProcessKey {
        // A start that no process of this machine has.
        ProcessKey {
            pid,
            start_ticks: u64::MAX - u64::from(pid),
        }
    }

    #[test]
    fn a_child_runs_its_parents_program_until_it_starts_one() {
        let mut table = ProcessTable::default();
        table.keep(
            key(1),
            ProcessFacts {
                comm: "sh".into(),
                exe_path: "/bin/sh".into(),
                uid: Some(0),
                parent: None,
            },
        );
        table.fork(key(2), key(1));
        let facts = table.describe(key(2)).expect("kept");
        assert_eq!((facts.exe_path.as_str(), facts.parent), ("/bin/sh", Some(key(1))));
    }

    #[test]
    fn descent_holds_over_an_ended_parent() {
        let mut table = ProcessTable::default();
        table.fork(key(2), key(1));
        table.fork(key(3), key(2));
        table.exit(key(2));
        assert!(table.descends_from(key(3), key(1)));
        assert!(!table.descends_from(key(3), key(4)));
    }

    #[test]
    fn ended_processes_are_forgotten_oldest_first() {
        let mut table = ProcessTable::default();
        let count = u32::try_from(ENDED_MAX).expect("small") + 10;
        for pid in 1..=count {
            table.fork(key(pid), key(0));
            table.exit(key(pid));
        }
        assert_eq!(table.len(), ENDED_MAX);
        assert!(table.describe(key(1)).is_none());
        assert_eq!(table.with_pid(1), None);
        assert!(table.describe(key(count)).is_some());
        assert_eq!(table.with_pid(count), Some(key(count)));
    }

    #[test]
    fn what_proc_does_not_know_is_asked_once() {
        let mut table = ProcessTable::default();
        for pid in 1..=u32::try_from(FRUITLESS_MAX).expect("small") + 1 {
            assert!(table.describe(key(pid)).is_none());
        }
        assert_eq!(table.fruitless.len(), 1, "bounded");
        let own = proc_fs::read_process(std::process::id()).expect("this process").0;
        table.fruitless.insert(own);
        assert!(table.describe(own).is_none(), "not asked again");
        table.fruitless.clear();
        assert!(table.describe(own).is_some());
    }

    #[test]
    fn a_reused_pid_is_not_the_same_process() {
        let mut table = ProcessTable::default();
        let reused = |start_ticks| ProcessKey { pid: 7, start_ticks };
        table.fork(reused(10), key(1));
        table.fork(reused(20), key(1));
        assert_eq!(table.with_pid(7), Some(reused(20)));
        let impostor = ProcessKey {
            pid: std::process::id(),
            start_ticks: 1,
        };
        assert!(table.describe(impostor).is_none());
    }
}
