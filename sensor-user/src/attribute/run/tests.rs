use std::fs;

use claviger_sensor_common::{
    ExecRecord, NOT_TOLD_NO_ARGUMENT, NameWord, PROGRAM_ARGUMENTS, PROGRAM_MAPPED, PROGRAM_SCRIPT_FILE,
    ProgramRecord, RECORD_EXEC, RECORD_PROGRAM, RUNS_APPLET, RUNS_INTERPRETER, RUNS_LOADER, RUNS_SCRIPT,
    RUNS_TOLD,
};
use zerocopy::{FromZeros as _, IntoBytes as _};

use super::*;
use crate::{
    attribute::start_ticks_of,
    decode::{Record, decode},
};

fn exec(runs: u32, not_told: u32) -> Exec {
    let mut record = ExecRecord::new_zeroed();
    record.header.kind = RECORD_EXEC;
    (record.runs, record.not_told) = (runs, not_told);
    match decode(record.as_bytes()) {
        Ok(Record::Exec(exec)) => *exec,
        other => panic!("{other:?}"),
    }
}

fn told(how: u32, given: &[u8], path: &[u8], applet: &[u8]) -> Program {
    let mut record = ProgramRecord::new_zeroed();
    record.header.kind = RECORD_PROGRAM;
    record.how = how;
    let arguments = [given, b"\0"].concat();
    let given = if how == PROGRAM_ARGUMENTS {
        record.interpreter = NameWord::of(b"python3").0;
        &arguments
    } else {
        given
    };
    record.given_length = u32::try_from(given.len()).expect("short");
    record.given[..given.len()].copy_from_slice(given);
    record.path.length = u32::try_from(path.len()).expect("short");
    record.path.components[..path.len()].copy_from_slice(path);
    record.applet_length = u32::try_from(applet.len()).expect("short");
    record.applet[..applet.len()].copy_from_slice(applet);
    match decode(record.as_bytes()) {
        Ok(Record::Program(program)) => *program,
        other => panic!("{other:?}"),
    }
}

fn own() -> ProcessKey {
    let pid = std::process::id();
    ProcessKey {
        pid,
        start_ticks: start_ticks_of(pid).expect("it runs"),
    }
}

/// What is said of the script of a run: its path, its basis, and why it is not known.
fn script(run: &Run) -> (&str, ProgramBasis, &str) {
    let script = run.script.as_ref().expect("one is told of");
    (&script.path, script.basis(), &script.unknown_reason)
}

#[test]
fn a_plain_program_carries_out_nothing() {
    assert_eq!(Run::start(&exec(0, 0), None, None), Run::default());
}

#[test]
fn a_script_is_told_as_the_kernel_was_given_it() {
    let told = told(PROGRAM_SCRIPT_FILE, b"./x", b"x\0bin\0usr\0", b"");
    let run = Run::start(&exec(RUNS_SCRIPT | RUNS_TOLD, 0), Some(told), None);
    assert_eq!(script(&run), ("/usr/bin/x", ProgramBasis::ExecutedFile, ""));
}

#[test]
fn what_is_not_known_says_why() {
    let no_argument = Run::start(&exec(RUNS_INTERPRETER, NOT_TOLD_NO_ARGUMENT), None, None);
    assert_eq!(script(&no_argument), ("", ProgramBasis::Unspecified, NO_ARGUMENT));
    let lost = Run::start(&exec(RUNS_SCRIPT | RUNS_TOLD, 0), None, None);
    assert_eq!(script(&lost).2, LOST);
    let loader = Run::start(&exec(RUNS_LOADER, 0), None, None);
    assert_eq!(loader.loaded.expect("said").unknown_reason, NOTHING_LOADED);
}

#[test]
fn what_is_no_script_says_what_it_is() {
    let said = |arguments: &[u8]| {
        let told = told(PROGRAM_ARGUMENTS, arguments, b"", b"");
        let run = Run::start(&exec(RUNS_INTERPRETER | RUNS_TOLD, 0), Some(told), None);
        let (path, basis, reason) = script(&run);
        assert_eq!((path, basis), ("", ProgramBasis::Unspecified));
        reason.to_owned()
    };
    assert_eq!(said(b"-c\0hunter2"), CODE);
    assert_eq!(said(b"-m\0hunter2"), NAME);
    assert_eq!(said(b"-Z\0hunter2"), BY_OPTION);
}

#[test]
fn what_the_loader_maps_is_what_it_runs() {
    let mut run = Run::start(&exec(RUNS_LOADER, 0), None, None);
    let Some(Carried::Mapped(file)) = told(PROGRAM_MAPPED, b"", b"cat\0bin\0", b"").carried else {
        panic!("mapped")
    };
    run.mapped(&file);
    let loaded = run.loaded.expect("told");
    assert_eq!(
        (loaded.path.as_str(), loaded.basis()),
        ("/bin/cat", ProgramBasis::Mapped)
    );
}

#[test]
fn an_argument_counts_only_where_a_file_is_found() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("x.py");
    fs::write(&path, "").expect("written");
    let argued = |given: &[u8]| {
        let told = told(PROGRAM_ARGUMENTS, given, b"", b"");
        let mut run = Run::start(&exec(RUNS_INTERPRETER | RUNS_TOLD, 0), Some(told), None);
        assert_eq!(script(&run).0, "", "not looked up yet");
        run.look_up(own(), |_| false);
        run
    };
    let found = argued(path.as_os_str().as_encoded_bytes());
    let path = path.to_str().expect("plain");
    assert_eq!(script(&found), (path, ProgramBasis::Argument, ""));
    assert_ne!(found.script.as_ref().expect("found").inode, 0);
    let beside = argued(&[b"-Wignore\0", path.as_bytes()].concat());
    assert_eq!(script(&beside), (path, ProgramBasis::ArgumentBesideCode, ""));
    let mut secret = argued(b"hunter2-hunter2");
    assert_eq!(
        (script(&secret).0, script(&secret).1),
        ("", ProgramBasis::Unspecified)
    );
    // Whether it is known at once that there is none depends on the file system.
    for _ in 0..LOOKS_MAX {
        secret.look_up(own(), |_| false);
    }
    assert_eq!(script(&secret).0, "");
    assert_eq!(secret.argument, None, "it is not kept");
    let directory = argued(directory.path().as_os_str().as_encoded_bytes());
    assert_eq!(script(&directory).2, NO_FILE, "a directory is no script");
}

#[test]
fn of_a_process_that_is_gone_only_this_namespace_is_looked_into() {
    let gone = ProcessKey {
        start_ticks: 1,
        ..own()
    };
    let argued = || {
        let told = told(PROGRAM_ARGUMENTS, b"/proc/self/exe/nothing", b"", b"");
        Run::start(&exec(RUNS_INTERPRETER | RUNS_TOLD, 0), Some(told), None)
    };
    let mut elsewhere = argued();
    elsewhere.look_up(gone, |_| false);
    assert_eq!(script(&elsewhere).2, ENDED);
    let mut here = argued();
    here.look_up(gone, |_| true);
    assert_ne!(script(&here).2, ENDED);
}

#[test]
fn env_passes_a_script_on() {
    let given = told(PROGRAM_SCRIPT_FILE, b"/usr/bin/x", b"x\0lib\0usr\0", b"");
    let before = Run::start(&exec(RUNS_SCRIPT | RUNS_TOLD, 0), Some(given), None);
    let interpreter = exec(RUNS_INTERPRETER | RUNS_TOLD, 0);
    let passed = told(PROGRAM_ARGUMENTS, b"/usr/bin/x", b"", b"");
    let run = Run::start(&interpreter, Some(passed), Some(&before));
    assert_eq!(script(&run), ("/usr/lib/x", ProgramBasis::Argument, ""));
    let other = told(PROGRAM_ARGUMENTS, b"/usr/bin/y", b"", b"");
    let run = Run::start(&interpreter, Some(other), Some(&before));
    assert_eq!(script(&run).0, "");
}

#[test]
fn an_applet_is_told_by_a_name_that_is_known() {
    let called = |name: &[u8]| {
        let told = told(0, b"", b"", name);
        Run::start(&exec(RUNS_APPLET | RUNS_TOLD, 0), Some(told), None).applet
    };
    assert_eq!(called(b"/bin/cat"), "cat");
    assert_eq!(called(b"hunter2"), "");
}
