//! Variables with which a program was started and by which it loads code. Names only: the kernel half tells no values.

use claviger_proto::{LIBRARY_PATH, v1};

use super::ProcessTable;
use crate::decode::ProgramRun;

/// What was told of program starts that are not told yet themselves. At the bound all are let go.
pub const CODE_COMING_MAX: usize = 1_024;

/// What a program was started with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CodeInEnvironment {
    /// The names, each once.
    pub variables: Vec<&'static str>,
    /// Whether there may be others.
    pub incomplete: bool,
}

impl CodeInEnvironment {
    fn is_empty(&self) -> bool {
        self.variables.is_empty() && !self.incomplete
    }

    fn add(&mut self, more: Self) {
        for name in more.variables {
            if !self.variables.contains(&name) {
                self.variables.push(name);
            }
        }
        self.incomplete |= more.incomplete;
    }
}

impl From<&CodeInEnvironment> for v1::EnvironmentCode {
    fn from(code: &CodeInEnvironment) -> Self {
        Self {
            variables: code.variables.iter().map(|name| (*name).to_owned()).collect(),
            incomplete: code.incomplete,
        }
    }
}

impl ProcessTable {
    /// What a program run was started with. It comes behind the start or before it, in one part or several.
    pub fn started_with_code(&mut self, run: ProgramRun, mut code: CodeInEnvironment) {
        let Some(facts) = self.facts.get_mut(&run.process).filter(|facts| facts.is_of(run)) else {
            if self.coming_code.len() >= CODE_COMING_MAX {
                self.coming_code.clear();
            }
            return self.coming_code.entry(run).or_default().add(code);
        };
        if facts.restarted_itself {
            code.variables.retain(|name| *name != LIBRARY_PATH);
        }
        if !code.is_empty() {
            facts.code.get_or_insert_default().add(code);
            self.changes += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use claviger_sensor_common::TaskSnapshot;
    use zerocopy::FromZeros as _;

    use super::*;
    use crate::decode::{Exec, Task};

    fn exec(exec_id: u32, exe_inode: u64) -> Exec {
        let mut snapshot = TaskSnapshot::new_zeroed();
        (snapshot.pid, snapshot.start_boottime_ns) = (4_000_000, u64::MAX / 2);
        (snapshot.exec_id, snapshot.exe_inode, snapshot.exe_device) = (exec_id, exe_inode, 1);
        Exec {
            time_boot_ns: 0,
            task: Task::from(&snapshot),
            root: crate::decode::RootId::default(),
            exe: crate::decode::FilePath {
                bytes: b"/usr/bin/aws".to_vec(),
                truncated: false,
            },
            runs: crate::decode::Runs::default(),
        }
    }

    fn code(names: &[&'static str]) -> CodeInEnvironment {
        CodeInEnvironment {
            variables: names.to_vec(),
            incomplete: false,
        }
    }

    fn told(table: &ProcessTable, exec: &Exec) -> Vec<&'static str> {
        let facts = table.last_known(exec.task.process).expect("kept");
        facts
            .code
            .as_ref()
            .map(|code| code.variables.clone())
            .unwrap_or_default()
    }

    #[test]
    fn it_is_of_its_program_run_whichever_comes_first() {
        let mut table = ProcessTable::default();
        let (first, second, third) = (exec(1, 7), exec(2, 8), exec(3, 9));
        table.exec(&first);
        table.started_with_code(first.task.run(), code(&["LD_PRELOAD"]));
        table.started_with_code(first.task.run(), code(&["LD_AUDIT", "LD_PRELOAD"]));
        assert_eq!(told(&table, &first), ["LD_PRELOAD", "LD_AUDIT"]);
        table.started_with_code(second.task.run(), code(&["BASH_ENV"]));
        table.exec(&second);
        assert_eq!(told(&table, &second), ["BASH_ENV"]);
        table.exec(&third);
        assert_eq!(told(&table, &third), [""; 0]);
    }

    #[test]
    fn a_program_that_starts_itself_says_where_its_own_libraries_are() {
        let both = || code(&["LD_LIBRARY_PATH", "LD_PRELOAD"]);
        for (before, other, expected) in [
            (code(&[]), 7, &["LD_PRELOAD"][..]),
            (code(&[]), 8, &["LD_LIBRARY_PATH", "LD_PRELOAD"]),
            (code(&["LD_PRELOAD"]), 7, &["LD_LIBRARY_PATH", "LD_PRELOAD"]),
        ] {
            for is_first in [true, false] {
                let mut table = ProcessTable::default();
                let (first, second) = (exec(1, 7), exec(2, other));
                table.exec(&first);
                table.started_with_code(first.task.run(), before.clone());
                if is_first {
                    table.started_with_code(second.task.run(), both());
                }
                table.exec(&second);
                if !is_first {
                    table.started_with_code(second.task.run(), both());
                }
                assert_eq!(told(&table, &second), expected, "{before:?} {other} {is_first}");
            }
        }
    }

    #[test]
    fn what_waits_for_its_start_is_bounded() {
        let mut table = ProcessTable::default();
        for exec_id in 0..2 * u32::try_from(CODE_COMING_MAX).expect("small") + 5 {
            table.started_with_code(exec(exec_id, 7).task.run(), code(&["LD_PRELOAD"]));
            assert!(table.coming_code.len() <= CODE_COMING_MAX);
        }
    }
}
