//! Whether what a process truly runs is one of certain programs, by path. What only carries it out (an interpreter, the dynamic loader) is none of
//! them, and what was added to a container is not what is meant by a path of its image.
//!
//! A path counts only for the file that lies there, in the host's tree or in one that only who administers the host can have given the process, and
//! only if nobody else can have written it (`place.rs`). That holds for the interpreter or loader too, which does what it likes with what it is given.
//! Nor is it what its path says where whoever started it had it load other code, by a variable that it heeds; or could have had, by an option of the dynamic
//! loader that he started to run it.

use claviger_proto::v1::{Process, ProgramBasis};
use claviger_proto::{carried, loads_code_by};

use super::place;

/// What a process runs, as to certain programs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Runs {
    /// One of them.
    Meant,
    /// What has the path of one of them; that it is one is not proved, for this reason.
    Claims {
        /// That path.
        path: String,
        /// What is not proved: the file at that path, or what carries it out.
        unproved: String,
        /// Why.
        reason: String,
    },
    /// Another.
    Other,
}

/// Whether a process runs one of the programs whose paths `is_meant`.
pub(super) fn judge(process: &Process, is_meant: impl Fn(&str) -> bool) -> Runs {
    if !runs(process, is_meant) {
        return Runs::Other;
    }
    let exe = (&process.exe_path, &process.exe_place);
    let argument = process
        .script
        .as_ref()
        .filter(|script| script.basis() == ProgramBasis::Argument);
    let file = carried(process)
        .or(argument)
        .map(|file| (&file.path, &file.place));
    let (meant, _) = file.unwrap_or(exe);
    for (path, at) in file.into_iter().chain([exe]) {
        if let Err(reason) = place::is_proved(path, at.as_ref(), process.euid) {
            return Runs::Claims {
                path: meant.clone(),
                unproved: path.clone(),
                reason,
            };
        }
    }
    if let Some(reason) = seen_by_its_maker(process) {
        return Runs::Claims {
            path: meant.clone(),
            unproved: meant.clone(),
            reason,
        };
    }
    match code_loaded(process, meant) {
        Some(reason) => Runs::Claims {
            path: meant.clone(),
            unproved: meant.clone(),
            reason,
        },
        None => Runs::Meant,
    }
}

/// The number of the first user namespace (include/linux/proc_ns.h), on every kernel.
const FIRST_USER_NAMESPACE: u32 = 0xefff_fffd;

/// Why nothing that can be seen tells what it does; nothing where only who administers the host could have made it so.
fn seen_by_its_maker(process: &Process) -> Option<String> {
    let is_elsewhere = process
        .namespaces
        .as_ref()
        .is_some_and(|namespaces| namespaces.user != FIRST_USER_NAMESPACE);
    // Any user makes one: mounts in it put a library under a program, or a script under an interpreter for as long as it is read, and from Linux 6.7 on
    // it has a binfmt_misc of its own.
    is_elsewhere.then(|| {
        "it is in a user namespace of its own, and whoever made that chooses what programs there load and by what they are carried out".into()
    })
}

/// Why there may be code in it of whoever started it; nothing where that is not known to be.
fn code_loaded(process: &Process, carried: &str) -> Option<String> {
    if process.loaded_program.is_some() {
        // What else the loader maps, and from where, its options say (`--preload`, `--audit`, `--library-path`), and these are not told.
        return Some(
            "the dynamic loader was started to run it, which loads other code where its options say so"
                .into(),
        );
    }
    let code = process.environment_code.as_ref()?;
    let programs = [process.exe_path.as_str(), carried];
    let heeds = |variable: &&String| {
        let mut programs = programs.into_iter();
        programs.any(|program| loads_code_by(variable, program))
    };
    let heeded: Vec<&str> = code.variables.iter().filter(heeds).map(String::as_str).collect();
    if !heeded.is_empty() {
        return Some(format!(
            "it was started with {} in its environment, by which it loads code",
            heeded.join(" and ")
        ));
    }
    code.incomplete
        .then(|| "not all of its environment was looked at for what has it load code".into())
}

impl Runs {
    /// What it claims to be and why that is not believed, as a part of a sentence; nothing where it claims nothing.
    pub(super) fn claim(&self) -> Option<String> {
        match self {
            Self::Claims {
                path,
                unproved,
                reason,
            } if path == unproved => Some(format!("{path}, but {reason}")),
            Self::Claims {
                path,
                unproved,
                reason,
            } => Some(format!(
                "{path}, but of what carries it out, {unproved}: {reason}"
            )),
            Self::Meant | Self::Other => None,
        }
    }
}

/// Where only who administers a host puts programs: an interpreter there does what its arguments say.
const SYSTEM_DIRECTORIES: [&str; 5] = ["/bin", "/sbin", "/usr/bin", "/usr/local/bin", "/usr/sbin"];

/// Whether a process runs a program whose path is among those that `is_meant`.
///
/// - A script counts where the kernel was given it, whichever interpreter it names; what the dynamic loader has loaded is what it claims to be, the loader never.
/// - A script that only an argument names counts where the interpreter is one of the host's own, or is meant itself: whoever starts a program
///   chooses its arguments, but such an interpreter runs what they name.
fn runs(process: &Process, is_meant: impl Fn(&str) -> bool) -> bool {
    // A path with dots in it leads elsewhere than it looks.
    let is_meant = |path: &str| !path.split('/').any(|part| matches!(part, "." | "..")) && is_meant(path);
    if process.exe_memfd || process.exe_upper_layer {
        return false;
    }
    if let Some(file) = carried(process) {
        if file.basis() == ProgramBasis::Mapped && !is_loaders_place(&process.exe_path) {
            return false;
        }
        return !file.memfd && !file.upper_layer && is_meant(&file.path);
    }
    if process.loaded_program.is_some() {
        return false;
    }
    let argument = process.script.as_ref();
    match argument.filter(|script| script.basis() == ProgramBasis::Argument) {
        Some(script) => {
            is_meant(&script.path) && (is_of_system(&process.exe_path) || is_meant(&process.exe_path))
        }
        None => is_meant(&process.exe_path),
    }
}

/// Where the dynamic loader lies. Another program of its name maps what it likes, and runs none of it.
const LOADERS_DIRECTORIES: [&str; 7] = [
    "/lib/",
    "/lib32/",
    "/lib64/",
    "/libx32/",
    "/usr/lib/",
    "/usr/lib32/",
    "/usr/lib64/",
];

fn is_loaders_place(path: &str) -> bool {
    LOADERS_DIRECTORIES
        .iter()
        .any(|directory| path.starts_with(directory))
        && !path.split('/').any(|part| matches!(part, "." | ".."))
}

fn is_of_system(path: &str) -> bool {
    path.rsplit_once('/')
        .is_some_and(|(directory, _)| SYSTEM_DIRECTORIES.contains(&directory))
}

#[cfg(test)]
mod tests {
    use claviger_proto::v1::{EnvironmentCode, Namespaces, Program};

    use super::*;

    const AWS: &str = "/usr/bin/aws";

    fn run(exe_path: &str, script: Option<(&str, ProgramBasis)>) -> Process {
        Process {
            exe_path: exe_path.into(),
            exe_place: place::proved(),
            script: script.map(|(path, basis)| Program {
                path: path.into(),
                basis: basis.into(),
                place: place::proved(),
                ..Program::default()
            }),
            ..Process::default()
        }
    }

    fn is_aws(process: &Process) -> bool {
        let is_meant =
            |path: &str| path == AWS || path == "/opt/aws/python3" || path.starts_with("/lib/aws/");
        judge(process, is_meant) == Runs::Meant
    }

    #[test]
    fn the_interpreter_and_what_it_is_given_must_both_lie_where_they_are_said_to() {
        let claims = |process: &Process| match judge(process, |path| path == AWS) {
            Runs::Claims { path, unproved, .. } => (path, unproved),
            other => (format!("{other:?}"), String::new()),
        };
        for basis in [ProgramBasis::ExecutedFile, ProgramBasis::Argument] {
            let good = run("/usr/bin/python3.11", Some((AWS, basis)));
            assert!(is_aws(&good));
            let mut forged = good.clone();
            forged.exe_place = None;
            assert_eq!(claims(&forged), (AWS.into(), "/usr/bin/python3.11".into()));
            let mut forged = good;
            forged.script.as_mut().expect("set").place = None;
            assert_eq!(claims(&forged), (AWS.into(), AWS.into()));
        }
    }

    #[test]
    fn nothing_is_believed_in_a_user_namespace_that_anybody_can_make() {
        let within = |mut process: Process, user| {
            process.namespaces = Some(Namespaces {
                user,
                ..Namespaces::default()
            });
            process
        };
        let script = |basis| run("/usr/bin/python3.11", Some((AWS, basis)));
        for process in [
            run(AWS, None),
            script(ProgramBasis::ExecutedFile),
            script(ProgramBasis::Argument),
        ] {
            assert!(is_aws(&within(process.clone(), FIRST_USER_NAMESPACE)));
            let judged = judge(&within(process, 4_026_532_200), |path| path == AWS);
            let claim = judged.claim().expect("a claim");
            assert!(
                claim.starts_with("/usr/bin/aws, but it is in a user namespace of its own"),
                "{claim}"
            );
        }
    }

    #[test]
    fn what_was_started_with_code_that_it_loads_is_not_what_its_path_says() {
        let with = |mut process: Process, variables: &[&str], incomplete| {
            process.environment_code = Some(EnvironmentCode {
                variables: variables.iter().map(|name| (*name).into()).collect(),
                incomplete,
            });
            process
        };
        let script = || run("/usr/bin/python3.11", Some((AWS, ProgramBasis::ExecutedFile)));
        let own = || run(AWS, None);
        assert!(is_aws(&with(own(), &[], false)));
        assert!(
            is_aws(&with(own(), &["PYTHONPATH", "ENV"], false)),
            "it heeds none of them"
        );
        assert!(!is_aws(&with(own(), &["ENV", "LD_PRELOAD"], false)));
        assert!(!is_aws(&with(own(), &[], true)), "there may be others");
        for variable in ["PYTHONPATH", "PYTHONPYCACHEPREFIX", "PYTHONWARNINGS"] {
            assert!(!is_aws(&with(script(), &[variable], false)), "{variable}");
        }
        assert!(is_aws(&with(script(), &["NODE_OPTIONS"], false)));
        let claim = judge(&with(own(), &["LD_PRELOAD", "LD_AUDIT"], false), |path| {
            path == AWS
        })
        .claim();
        assert_eq!(
            claim.as_deref(),
            Some(
                "/usr/bin/aws, but it was started with LD_PRELOAD and LD_AUDIT in its environment, by which it loads code"
            )
        );
    }

    #[test]
    fn a_script_is_what_runs_and_not_its_interpreter() {
        let python = "/usr/bin/python3.11";
        assert!(is_aws(&run(python, Some((AWS, ProgramBasis::ExecutedFile)))));
        assert!(!is_aws(&run(
            python,
            Some(("/tmp/aws", ProgramBasis::ExecutedFile))
        )));
        assert!(!is_aws(&run(AWS, Some(("/tmp/x", ProgramBasis::ExecutedFile)))));
        assert!(!is_aws(&run(python, None)));
    }

    #[test]
    fn an_argument_is_believed_of_an_interpreter_of_the_host_only() {
        let argument = Some((AWS, ProgramBasis::Argument));
        assert!(is_aws(&run("/usr/bin/python3.11", argument)));
        assert!(is_aws(&run("/opt/aws/python3", argument)));
        assert!(!is_aws(&run("/tmp/python3", argument)));
        assert!(!is_aws(&run("/usr/bin/evil/python3", argument)));
        assert!(!is_aws(&run(
            "/opt/aws/python3",
            Some(("/tmp/x.py", ProgramBasis::Argument))
        )));
    }

    #[test]
    fn a_script_beside_other_code_is_not_what_is_believed() {
        let beside = Some((AWS, ProgramBasis::ArgumentBesideCode));
        assert!(!is_aws(&run("/usr/bin/python3.11", beside)));
        assert!(is_aws(&run("/opt/aws/python3", beside)));
    }

    #[test]
    fn an_interpreter_that_is_meant_may_run_what_is_not_told() {
        let not_told = Some(("", ProgramBasis::Unspecified));
        assert!(is_aws(&run("/opt/aws/python3", not_told)));
        assert!(!is_aws(&run("/usr/bin/python3.11", not_told)));
    }

    /// Whoever started it so chose the loader's options too, which nobody told.
    #[test]
    fn what_the_loader_was_started_to_run_is_not_believed() {
        let mut loader = run("/lib64/ld-linux-x86-64.so.2", None);
        loader.loaded_program = Some(Program {
            path: AWS.into(),
            place: place::proved(),
            basis: ProgramBasis::Mapped.into(),
            ..Program::default()
        });
        assert!(!is_aws(&loader));
        let claim = judge(&loader, |path| path == AWS).claim();
        assert_eq!(
            claim.as_deref(),
            Some(
                "/usr/bin/aws, but the dynamic loader was started to run it, which loads other code where its options say so"
            )
        );
        // A script that the kernel was given runs beside what the loader has loaded.
        loader.script = run(AWS, Some((AWS, ProgramBasis::ExecutedFile))).script;
        assert!(!is_aws(&loader));
    }

    #[test]
    fn the_loader_is_never_what_runs() {
        let mut loader = run(AWS, None);
        loader.loaded_program = Some(Program::default());
        assert!(!is_aws(&loader));
        loader.loaded_program = Some(Program {
            path: "/usr/bin/cat".into(),
            place: place::proved(),
            basis: ProgramBasis::Mapped.into(),
            ..Program::default()
        });
        assert!(!is_aws(&loader));
        loader.exe_path = "/lib64/ld-linux-x86-64.so.2".into();
        loader.loaded_program.as_mut().expect("set").path = AWS.into();
        let claims = |process: &Process| judge(process, |path| path == AWS).claim().is_some();
        assert!(claims(&loader), "it says what it has loaded");
        for forged in ["/tmp/ld-linux-x86-64.so.2", "/lib/../tmp/ld-linux-x86-64.so.2"] {
            loader.exe_path = forged.into();
            assert!(!claims(&loader), "{forged}");
        }
    }

    #[test]
    fn what_is_not_of_the_image_is_not_what_its_path_says() {
        let mut added = run(AWS, None);
        added.exe_upper_layer = true;
        assert!(!is_aws(&added));
        let mut script = run("/usr/bin/python3.11", Some((AWS, ProgramBasis::ExecutedFile)));
        script.script.as_mut().expect("set").upper_layer = true;
        assert!(!is_aws(&script));
        let mut in_memory = run(AWS, None);
        in_memory.exe_memfd = true;
        assert!(!is_aws(&in_memory));
    }

    #[test]
    fn a_path_with_dots_is_none() {
        let argument = Some(("/lib/aws/../../tmp/x", ProgramBasis::Argument));
        assert!(!is_aws(&run("/usr/bin/python3.11", argument)));
    }

    #[test]
    fn what_a_process_calls_itself_decides_nothing() {
        let mut renamed = run("/tmp/x", None);
        (renamed.comm, renamed.comm_at_exec) = ("aws".into(), "aws".into());
        assert!(!is_aws(&renamed));
    }
}
