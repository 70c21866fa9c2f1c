//! What a process truly runs: its executable, or what that only carries out; and how both are called for people.

use crate::v1::{Process, Program, ProgramBasis};

/// The file that is run instead of the executable, where that is known and not only by an argument, which whoever starts a program chooses.
#[must_use]
pub fn carried(process: &Process) -> Option<&Program> {
    let is_seen = |file: &&Program| match file.basis() {
        ProgramBasis::ExecutedFile | ProgramBasis::ExecutedPath | ProgramBasis::Mapped => true,
        ProgramBasis::Argument | ProgramBasis::ArgumentBesideCode | ProgramBasis::Unspecified => false,
    };
    [&process.script, &process.loaded_program]
        .into_iter()
        .flatten()
        .find(is_seen)
        .filter(|file| !file.path.is_empty())
}

/// The path of what a process runs, as far as the kernel was seen to run it; empty where that is not known.
#[must_use]
pub fn program_path(process: &Process) -> &str {
    carried(process).map_or(&process.exe_path, |file| &file.path)
}

/// What a process runs, for people: `/usr/bin/cat`, `/usr/bin/aws run by /usr/bin/python3.11`, `cat of /usr/bin/busybox`. What came from a host stands
/// in it as it came. The command name where nothing better is known.
#[must_use]
pub fn program_words(process: &Process) -> String {
    let mut exe = if process.exe_path.is_empty() {
        process.comm.clone()
    } else {
        process.exe_path.clone()
    };
    if !process.applet.is_empty() {
        exe = format!("{} of {exe}", process.applet);
    }
    let named = |file: &Option<Program>| {
        let file = file.as_ref().filter(|file| !file.path.is_empty())?;
        Some((file.path.clone(), is_argument(file.basis())))
    };
    match (named(&process.script), named(&process.loaded_program)) {
        (Some((script, false)), _) => format!("{script} run by {exe}"),
        (Some((script, true)), _) => format!("{script} (its argument) run by {exe}"),
        (None, Some((loaded, _))) => format!("{loaded} loaded by {exe}"),
        (None, None) => exe,
    }
}

const fn is_argument(basis: ProgramBasis) -> bool {
    matches!(basis, ProgramBasis::Argument | ProgramBasis::ArgumentBesideCode)
}

/// What is odd about the program of a process, for people: `deleted`, `in memory`.
#[must_use]
pub fn program_notes(process: &Process) -> Vec<String> {
    let file = carried(process);
    let marked = |own: bool, of_file: fn(&Program) -> bool| own || file.is_some_and(of_file);
    let mut notes = Vec::new();
    if marked(process.exe_memfd, |file| file.memfd) {
        notes.push("in memory".to_owned());
    }
    if marked(process.exe_deleted, |file| file.deleted) {
        notes.push("deleted".to_owned());
    }
    if marked(process.exe_upper_layer, |file| file.upper_layer) {
        notes.push("not as in the image of its container".to_owned());
    }
    if !process.comm_at_exec.is_empty() && process.comm != process.comm_at_exec {
        notes.push(format!("calls itself {}", process.comm));
    }
    notes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn process(basis: ProgramBasis) -> Process {
        Process {
            exe_path: "/usr/bin/python3.11".into(),
            script: Some(Program {
                path: "/usr/bin/aws".into(),
                basis: basis.into(),
                ..Program::default()
            }),
            ..Process::default()
        }
    }

    #[test]
    fn a_script_counts_where_the_kernel_was_given_it() {
        assert_eq!(program_path(&process(ProgramBasis::ExecutedFile)), "/usr/bin/aws");
        for basis in [
            ProgramBasis::Argument,
            ProgramBasis::ArgumentBesideCode,
            ProgramBasis::Unspecified,
        ] {
            assert_eq!(program_path(&process(basis)), "/usr/bin/python3.11");
        }
        assert_eq!(program_path(&Process::default()), "");
    }

    #[test]
    fn what_runs_is_said_in_words() {
        let mut odd = process(ProgramBasis::ExecutedFile);
        (odd.comm, odd.comm_at_exec) = ("[kworker]".into(), "aws".into());
        odd.exe_upper_layer = true;
        assert_eq!(program_words(&odd), "/usr/bin/aws run by /usr/bin/python3.11");
        assert_eq!(
            program_notes(&odd),
            ["not as in the image of its container", "calls itself [kworker]"]
        );
        assert_eq!(
            program_words(&process(ProgramBasis::Argument)),
            "/usr/bin/aws (its argument) run by /usr/bin/python3.11"
        );
        let applet = Process {
            exe_path: "/bin/busybox".into(),
            applet: "cat".into(),
            exe_deleted: true,
            ..Process::default()
        };
        assert_eq!(program_words(&applet), "cat of /bin/busybox");
        assert_eq!(program_notes(&applet), ["deleted"]);
    }

    #[test]
    fn what_the_loader_mapped_counts() {
        let process = Process {
            exe_path: "/usr/lib/ld.so".into(),
            loaded_program: Some(Program {
                path: "/usr/bin/cat".into(),
                basis: ProgramBasis::Mapped.into(),
                ..Program::default()
            }),
            ..Process::default()
        };
        assert_eq!(program_path(&process), "/usr/bin/cat");
    }
}
