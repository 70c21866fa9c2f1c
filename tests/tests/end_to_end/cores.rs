//! A crash of ours leaves no core, even where somebody has raised the limit.

use std::{
    io::{BufRead as _, BufReader},
    os::unix::process::ExitStatusExt as _,
    process::{Child, Command, Stdio},
};

use claviger_tests::{can_load, crash, sensor, vm};
use rustix::process::{Pid, Signal, kill_process};

use crate::host::Host;

#[test]
fn a_crash_leaves_no_core_though_the_limit_was_raised() {
    if !can_load() {
        return;
    }
    let directory = tempfile::tempdir().expect("a directory");
    let other = Command::new("/bin/sleep")
        .arg("60")
        .current_dir(directory.path())
        .spawn()
        .expect("starts");
    if !crash(other).core_dumped() {
        assert!(!vm(), "the kernel of a VM writes cores");
        println!("cannot be told here: the kernel writes no core of any program");
        return;
    }
    let mut host = Host::new("");
    host.sensor.start();
    let pid = host.sensor.status()["pid"].as_u64().expect("a number");
    let limits = std::fs::read_to_string(format!("/proc/{pid}/limits")).expect("it runs");
    let of_cores = limits.lines().find(|line| line.starts_with("Max core file size"));
    let of_cores: Vec<_> = of_cores.expect("there").split_whitespace().collect();
    assert_eq!(of_cores[4..6], ["0", "0"]);

    let ended = host.sensor.crash();
    assert_eq!((ended.signal(), ended.core_dumped()), (Some(6), false));
    let ended = host.detector.crash();
    assert_eq!((ended.signal(), ended.core_dumped()), (Some(6), false));
}

#[test]
fn a_trace_leaves_no_core_and_its_command_the_limit_it_would_have() {
    if !can_load() {
        return;
    }
    let directory = tempfile::tempdir().expect("a directory");
    let limit = |command: &mut Command| {
        let output = command.output().expect("runs");
        String::from_utf8(output.stdout).expect("UTF-8").trim().to_owned()
    };
    let untraced = limit(Command::new("/bin/sh").args(["-c", "ulimit -c; ulimit -Hc"]));
    let mut trace = sensor()
        .args(["trace", "--", "/bin/sh", "-c"])
        .arg("echo $(ulimit -c; ulimit -Hc); echo $$; exec sleep 60")
        .current_dir(directory.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("starts");
    let mut lines = lines(&mut trace);
    let mut line = || lines.next().expect("a line").expect("UTF-8");
    assert_eq!(
        line().split_whitespace().collect::<Vec<_>>(),
        untraced.split_whitespace().collect::<Vec<_>>()
    );
    let command = line().parse().ok().and_then(Pid::from_raw).expect("a pid");
    let ended = crash(trace);
    kill_process(command, Signal::KILL).expect("it runs");
    assert_eq!((ended.signal(), ended.core_dumped()), (Some(6), false));
}

fn lines(child: &mut Child) -> std::io::Lines<BufReader<std::process::ChildStdout>> {
    BufReader::new(child.stdout.take().expect("piped")).lines()
}
