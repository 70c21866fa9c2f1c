//! The processes of this host, kept by events and seeded from procfs.

mod places;

use std::collections::{HashMap, HashSet, VecDeque};

use super::{
    CodeInEnvironment, ProcessFacts,
    proc_fs::{self, is_own_tree},
    procfs,
    run::Run,
};
use crate::decode::{Carried, Exec, ProcessKey, Program, ProgramRun};

/// Living processes kept. At the bound a new one is not kept (it is looked up in procfs when it matters) and counted.
pub const LIVE_MAX: usize = 65_536;

/// Ended processes kept, so that a use reported after its process's end can still be named. The oldest goes first.
pub const ENDED_MAX: usize = 4_096;

/// Ended processes kept that had created others, so that these can be told to come from them when they have long been given to another parent. The
/// oldest goes first.
pub const ENDED_CREATORS_MAX: usize = 8_192;

/// Processes remembered of which procfs tells no more than is known: kernel threads, which have no executable, and those that are gone. At the
/// bound all are forgotten, and each is asked for once more.
pub const FRUITLESS_MAX: usize = 4_096;

/// What was told of program starts that are not told yet themselves: the one follows the other. At the bound all are let go, and said to be lost.
pub const COMING_MAX: usize = 1_024;

/// Runs of programs kept that their processes have left for another: what is told of a socket may be of whoever opened it. The oldest goes first.
pub const LEFT_MAX: usize = 4_096;

/// Creators of a process that are told, as many as the kernel half tells ancestors.
pub const CREATORS_MAX: usize = claviger_sensor_common::ANCESTORS_MAX;

/// The table.
#[derive(Debug, Default)]
pub struct ProcessTable {
    /// In boxes: a map that grows is there twice, and with much room to spare.
    pub(super) facts: HashMap<ProcessKey, Box<ProcessFacts>>,
    /// The process that has a pid now, or had it last; only of those in `facts`.
    latest: HashMap<u32, ProcessKey>,
    ended: VecDeque<ProcessKey>,
    ended_creators: VecDeque<ProcessKey>,
    /// procfs is not asked again for these: the ancestors of a busy process would be looked up at each of its uses.
    fruitless: HashSet<ProcessKey>,
    /// What programs run, told before they are.
    coming: HashMap<ProgramRun, Program>,
    /// The same of what their environments have them load.
    pub(super) coming_code: HashMap<ProgramRun, CodeInEnvironment>,
    left: HashMap<ProgramRun, Box<ProcessFacts>>,
    left_first: VecDeque<ProgramRun>,
    not_kept: u64,
    pub(super) changes: u64,
}

impl ProcessTable {
    /// Takes up the processes that run now. Call after the probes are attached, so that none falls between.
    pub fn seed(&mut self) {
        for pid in procfs::pids() {
            if let Some((key, facts)) = proc_fs::read_process(pid) {
                self.keep(key, facts);
            }
        }
    }

    /// A process was created: until it starts a program it runs its parent's.
    pub fn fork(&mut self, child: ProcessKey, parent: ProcessKey) {
        let parents = self.facts.get_mut(&parent).map(|facts| {
            facts.is_creator = true;
            ProcessFacts::clone(facts)
        });
        let facts = ProcessFacts {
            parent: Some(parent),
            is_creator: false,
            ..parents.unwrap_or_default()
        };
        self.keep(child, facts);
    }

    /// What a program start runs. What its executable loads is told after the start, everything else before.
    pub fn program(&mut self, program: Program) {
        if let Some(Carried::Mapped(file)) = &program.carried {
            if let Some(facts) = self.facts.get_mut(&program.run.process)
                && facts.exec_id == Some(program.run.exec_id)
            {
                facts.run.get_or_insert_default().mapped(file);
                self.changes += 1;
            }
            return;
        }
        if self.coming.len() >= COMING_MAX {
            self.coming.clear();
        }
        self.coming.insert(program.run, program);
    }

    /// A process started a program.
    pub fn exec(&mut self, exec: &Exec) {
        let process = exec.task.process;
        let before = self.facts.get(&process);
        let created_by = exec.task.ancestors.first().map(|parent| parent.process);
        let told = self.coming.remove(&exec.task.run());
        let run = Run::start(exec, told, before.and_then(|facts| facts.run.as_deref()));
        let own = exec.task.exe;
        let restarted_itself = run == Run::default()
            && own.is_some()
            && before.is_some_and(|before| {
                before.exec_id.is_some()
                    && before.exe_device.zip(before.exe_inode) == own
                    && before.run.is_none()
                    && before.code.is_none()
            });
        let facts = ProcessFacts {
            code: None,
            restarted_itself,
            comm: exec.task.comm.clone(),
            comm_at_exec: exec.task.comm.clone(),
            exe_path: exec.exe.display(),
            exe_inode: exec.task.exe.map(|(_, inode)| inode),
            exe_device: exec.task.exe.map(|(device, _)| device),
            exe_marks: exec.task.exe_marks,
            exe_place: None,
            run: (run != Run::default()).then(|| Box::new(run)),
            exec_id: Some(exec.task.exec_id),
            uid: exec.task.uid,
            parent: before.and_then(|facts| facts.parent).or(created_by),
            is_creator: before.is_some_and(|facts| facts.is_creator),
        };
        self.fruitless.remove(&process);
        self.leave(exec.task.run());
        self.keep(process, facts);
        if let Some(code) = self.coming_code.remove(&exec.task.run()) {
            self.started_with_code(exec.task.run(), code);
        }
    }

    /// A process leaves the program that it runs for that of the next run.
    fn leave(&mut self, next: ProgramRun) {
        let Some(facts) = self.facts.remove(&next.process) else {
            return;
        };
        // The kernel counts one by one.
        let exec_id = facts.exec_id.unwrap_or_else(|| next.exec_id.wrapping_sub(1));
        let run = ProgramRun { exec_id, ..next };
        if self.left.insert(run, facts).is_none() {
            self.left_first.push_back(run);
        }
        if self.left_first.len() > LEFT_MAX
            && let Some(first) = self.left_first.pop_front()
        {
            self.left.remove(&first);
        }
    }

    /// A process ended.
    pub fn exit(&mut self, process: ProcessKey) {
        let Some(facts) = self.facts.get(&process) else {
            return;
        };
        let (ended, bound) = if facts.is_creator {
            (&mut self.ended_creators, ENDED_CREATORS_MAX)
        } else {
            (&mut self.ended, ENDED_MAX)
        };
        ended.push_back(process);
        if ended.len() > bound
            && let Some(oldest) = ended.pop_front()
        {
            self.facts.remove(&oldest);
            self.changes += 1;
            if self.latest.get(&oldest.pid) == Some(&oldest) {
                self.latest.remove(&oldest.pid);
            }
        }
    }

    /// What is known of a process in one of its program runs. One that is not in the table is looked up in procfs and believed only if its start is
    /// the same.
    pub fn describe(&mut self, run: ProgramRun) -> Option<&ProcessFacts> {
        let process = run.process;
        let known = self.facts.get(&process);
        if self.left.contains_key(&run) && known.is_none_or(|facts| !facts.is_of(run)) {
            return self.left.get(&run).map(|facts| &**facts);
        }
        let is_known = known.is_some_and(|facts| !facts.exe_path.is_empty() && facts.is_of(run));
        if !is_known && !self.fruitless.contains(&process) {
            let created_by = known.and_then(|facts| facts.parent);
            let is_creator = known.is_some_and(|facts| facts.is_creator);
            let found = proc_fs::read_process(process.pid).filter(|(key, _)| *key == process);
            if found.as_ref().is_none_or(|(_, facts)| facts.exe_path.is_empty()) {
                if self.fruitless.len() >= FRUITLESS_MAX {
                    self.fruitless.clear();
                }
                self.fruitless.insert(process);
            }
            if let Some((key, facts)) = found {
                let parent = created_by.or(facts.parent);
                self.keep(
                    key,
                    ProcessFacts {
                        parent,
                        is_creator,
                        ..facts
                    },
                );
            }
        }
        self.facts
            .get(&process)
            .map(|facts| &**facts)
            .filter(|facts| facts.is_of(run))
    }

    /// Looks up what an argument of a process names, where that is still to be done.
    pub fn look_up_argument(&mut self, process: ProcessKey) {
        if let Some(run) = self.facts.get_mut(&process).and_then(|facts| facts.run.as_mut()) {
            run.look_up(process, is_own_tree);
        }
    }

    /// Who created a process, who created that one, and so on, as far as is known.
    #[must_use]
    pub fn creators(&self, process: ProcessKey) -> Vec<ProcessKey> {
        let creator = |process: &ProcessKey| self.facts.get(process).and_then(|facts| facts.parent);
        std::iter::successors(creator(&process), creator)
            .take(CREATORS_MAX)
            .collect()
    }

    /// What is known of a process in one of its program runs, without asking procfs; else of whichever program it ran last.
    #[must_use]
    pub fn known_best(&self, run: ProgramRun) -> Option<&ProcessFacts> {
        let last = self.last_known(run.process).filter(|facts| facts.is_of(run));
        let left = || self.left.get(&run).map(|facts| &**facts);
        last.or_else(left).or_else(|| self.last_known(run.process))
    }

    /// What is known of a creator, of whichever program it ran last.
    #[must_use]
    pub fn last_known(&self, process: ProcessKey) -> Option<&ProcessFacts> {
        self.facts.get(&process).map(|facts| &**facts)
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

    /// How often something changed of what is told of processes.
    #[must_use]
    pub fn changes(&self) -> u64 {
        self.changes
    }

    /// How many processes were not kept because the table was full.
    #[must_use]
    pub fn not_kept(&self) -> u64 {
        self.not_kept
    }

    fn keep(&mut self, key: ProcessKey, facts: ProcessFacts) {
        if self.facts.len() >= LIVE_MAX + ENDED_MAX + ENDED_CREATORS_MAX && !self.facts.contains_key(&key) {
            self.not_kept += 1;
            return;
        }
        self.changes += 1;
        self.facts.insert(key, Box::new(facts));
        let latest = self.latest.entry(key.pid).or_insert(key);
        *latest = (*latest).max(key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(process: ProcessKey) -> ProgramRun {
        ProgramRun { process, exec_id: 0 }
    }

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
                ..ProcessFacts::default()
            },
        );
        table.fork(key(2), key(1));
        let facts = table.describe(run(key(2))).expect("kept");
        assert_eq!((facts.exe_path.as_str(), facts.parent), ("/bin/sh", Some(key(1))));
    }

    #[test]
    fn what_a_process_ran_before_is_told_of_what_it_did_then() {
        let mut table = ProcessTable::default();
        let facts = |path: &str, exec_id| ProcessFacts {
            exe_path: path.into(),
            exec_id: Some(exec_id),
            ..ProcessFacts::default()
        };
        table.keep(key(1), facts("/usr/bin/python3", 3));
        let at = |exec_id| ProgramRun {
            process: key(1),
            exec_id,
        };
        table.leave(at(4));
        table.keep(key(1), facts("/bin/dash", 4));
        for (exec_id, path) in [(3, "/usr/bin/python3"), (4, "/bin/dash")] {
            let known = table.known_best(at(exec_id)).expect("kept");
            assert_eq!(known.exe_path, path);
            assert_eq!(table.describe(at(exec_id)).expect("kept").exe_path, path);
        }
        for exec_id in 5..5 + u32::try_from(LEFT_MAX).expect("small") {
            table.leave(at(exec_id));
            table.keep(key(1), facts("/bin/true", exec_id));
        }
        assert_eq!((table.left.len(), table.left_first.len()), (LEFT_MAX, LEFT_MAX));
    }

    #[test]
    fn creators_are_told_when_they_have_long_ended() {
        let mut table = ProcessTable::default();
        table.fork(key(2), key(1));
        table.fork(key(3), key(2));
        table.exit(key(2));
        for pid in 10..10 + u32::try_from(ENDED_MAX).expect("small") + 10 {
            table.fork(key(pid), key(9));
            table.exit(key(pid));
        }
        assert_eq!(table.creators(key(3)), [key(2), key(1)]);
        let orphans = 100_000..100_000 + u32::try_from(ENDED_CREATORS_MAX).expect("small") + 10;
        for pid in orphans {
            table.fork(key(pid), key(9));
            table.fork(key(pid + 500_000), key(pid));
            table.exit(key(pid + 500_000));
            table.exit(key(pid));
        }
        assert_eq!(table.creators(key(3)), [key(2)], "of this one no more is known");
        assert!(table.len() <= ENDED_MAX + ENDED_CREATORS_MAX + 2);
    }

    #[test]
    fn another_program_run_is_not_this_one() {
        let mut table = ProcessTable::default();
        table.keep(
            key(1),
            ProcessFacts {
                exe_path: "/bin/sh".into(),
                exec_id: Some(4),
                ..ProcessFacts::default()
            },
        );
        let described = |table: &mut ProcessTable, exec_id| {
            let run = ProgramRun {
                process: key(1),
                exec_id,
            };
            table.describe(run).map(|facts| facts.exe_path.clone())
        };
        assert_eq!(described(&mut table, 5), None, "its start was not seen");
        assert_eq!(described(&mut table, 4).as_deref(), Some("/bin/sh"));
        table.fork(key(2), key(1));
        let inherited = ProgramRun {
            process: key(2),
            exec_id: 4,
        };
        assert!(table.describe(inherited).is_some(), "a child has its parent's");
    }

    #[test]
    fn what_comes_and_never_starts_is_let_go() {
        let mut table = ProcessTable::default();
        for pid in 0..u32::try_from(COMING_MAX).expect("small") + 1 {
            table.program(Program {
                run: run(key(pid)),
                carried: None,
                applet: Default::default(),
            });
        }
        assert_eq!(table.coming.len(), 1);
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
        assert!(table.describe(run(key(1))).is_none());
        assert_eq!(table.with_pid(1), None);
        assert!(table.describe(run(key(count))).is_some());
        assert_eq!(table.with_pid(count), Some(key(count)));
    }

    #[test]
    fn what_proc_does_not_know_is_asked_once() {
        let mut table = ProcessTable::default();
        for pid in 1..=u32::try_from(FRUITLESS_MAX).expect("small") + 1 {
            assert!(table.describe(run(key(pid))).is_none());
        }
        assert_eq!(table.fruitless.len(), 1, "bounded");
        let own = proc_fs::read_process(std::process::id()).expect("this process").0;
        table.fruitless.insert(own);
        assert!(table.describe(run(own)).is_none(), "not asked again");
        table.fruitless.clear();
        assert!(table.describe(run(own)).is_some());
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
        assert!(table.describe(run(impostor)).is_none());
    }
}
