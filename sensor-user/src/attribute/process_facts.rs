//! What is known of one process.

use super::{code_in_environment::CodeInEnvironment, program_place::Place, run::Run};
use crate::decode::{Marks, ProcessKey, ProgramRun};

/// What is known of a process beside its key.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ProcessFacts {
    /// Command name of the leader, when it was seen last.
    pub comm: String,
    /// Command name when the program was started; empty where its start was not seen.
    pub comm_at_exec: String,
    /// Path of the executable as shown at exec.
    pub exe_path: String,
    /// Its inode, as the kernel half tells it or stat(2).
    pub exe_inode: Option<u64>,
    /// Its device, as st_dev of stat(2); nothing where its start was not seen.
    pub exe_device: Option<u64>,
    /// What marked it then.
    pub exe_marks: Marks,
    /// Where it lies, once that was looked up, of which object.
    pub exe_place: Option<((u64, u64), Place)>,
    /// What it carries out beside its executable; nothing in most processes.
    pub run: Option<Box<Run>>,
    /// What in its environment has it load code; nothing in most processes, and where its start was not seen.
    pub code: Option<Box<CodeInEnvironment>>,
    /// Whether it was started by the same program in the same process, which had nothing of that: where that brings its libraries along, it starts
    /// itself once more with where they are.
    pub(super) restarted_itself: bool,
    /// Of which program run of the process all this is; nothing where that is not known.
    pub exec_id: Option<u32>,
    /// Real user id.
    pub uid: Option<u32>,
    /// Who created it.
    pub parent: Option<ProcessKey>,
    /// Whether it has created others.
    pub(super) is_creator: bool,
}

impl ProcessFacts {
    /// Whether this is, or may be, of that run of the process.
    pub(super) fn is_of(&self, run: ProgramRun) -> bool {
        self.exec_id.is_none_or(|exec_id| exec_id == run.exec_id)
    }

    /// The device and inode of the executable of that run of the process, where its start was seen.
    #[must_use]
    pub fn started(&self, run: ProgramRun) -> Option<(u64, u64)> {
        let is_it = self.exec_id == Some(run.exec_id);
        self.exe_device.zip(self.exe_inode).filter(|_| is_it)
    }

    /// Whether this may be of an executable with this inode. What stat(2) says of one on an overlay can differ in the upper half.
    #[must_use]
    pub fn may_run(&self, inode: u64) -> bool {
        let low = |inode: u64| inode & u64::from(u32::MAX);
        self.exe_inode.is_none_or(|own| low(own) == low(inode))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_executable_is_known_by_its_inode_whatever_an_overlay_adds() {
        let facts = |exe_inode| ProcessFacts {
            exe_inode,
            ..ProcessFacts::default()
        };
        assert!(facts(Some(7)).may_run(7));
        assert!(facts(Some(1 << 40 | 7)).may_run(7));
        assert!(!facts(Some(8)).may_run(7));
        assert!(facts(None).may_run(7));
    }

    #[test]
    fn what_was_started_is_known_where_that_was_seen() {
        let run = |exec_id| ProgramRun {
            process: ProcessKey {
                pid: 1,
                start_ticks: 2,
            },
            exec_id,
        };
        let seen = ProcessFacts {
            exe_device: Some(3),
            exe_inode: Some(7),
            exec_id: Some(4),
            ..ProcessFacts::default()
        };
        assert_eq!(seen.started(run(4)), Some((3, 7)));
        assert_eq!(seen.started(run(5)), None, "another program by now");
        let seeded = ProcessFacts {
            exec_id: None,
            ..seen
        };
        assert_eq!(seeded.started(run(4)), None);
    }
}
