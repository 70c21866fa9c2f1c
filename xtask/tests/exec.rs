//! The hidden verb `exec`, through the real program: what it promises holds only across a real exec.

use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

const XTASK: &str = env!("CARGO_BIN_EXE_xtask");

struct Gate {
    path: PathBuf,
    listener: UnixListener,
}

impl Gate {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("xtask-gate-{name}-{}", std::process::id()));
        let listener = UnixListener::bind(&path).expect("binds");
        Self { path, listener }
    }

    fn start(&self, command: &[&str]) -> (Child, UnixStream) {
        let mut exec = Command::new(XTASK);
        exec.arg("exec")
            .arg("--gate")
            .arg(&self.path)
            .arg("--")
            .args(command);
        let child = exec.stdout(Stdio::piped()).spawn().expect("starts");
        let (stream, _) = self.listener.accept().expect("it comes");
        (child, stream)
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        fs::remove_file(&self.path).expect("removed");
    }
}

fn start_ticks(stat: &str) -> &str {
    let (_, rest) = stat.rsplit_once(") ").expect("a name");
    rest.split_ascii_whitespace().nth(19).expect("field 22")
}

#[test]
fn the_command_has_the_pid_and_start_time_that_were_known_before() {
    let gate = Gate::new("key");
    let (child, mut stream) = gate.start(&["cat", "/proc/self/stat"]);
    let before = fs::read_to_string(format!("/proc/{}/stat", child.id())).expect("it waits");
    stream.write_all(b"\n").expect("opens");
    let pid = child.id();
    let output = child.wait_with_output().expect("ends");
    let after = String::from_utf8(output.stdout).expect("text");
    assert!(after.starts_with(&format!("{pid} (cat) ")), "{after}");
    assert_eq!(start_ticks(&before), start_ticks(&after));
}

#[test]
fn a_gate_that_is_given_up_runs_nothing() {
    let gate = Gate::new("closed");
    let (child, stream) = gate.start(&["echo", "ran"]);
    drop(stream);
    let output = child.wait_with_output().expect("ends");
    assert!(!output.status.success());
    assert!(output.stdout.is_empty());
}

#[test]
fn a_command_that_is_not_there_ends_as_in_a_shell() {
    let status = |command: &str| {
        let mut exec = Command::new(XTASK);
        exec.args(["exec", "--", command])
            .stderr(Stdio::null())
            .status()
            .expect("starts")
            .code()
    };
    assert_eq!(status("/nonexistent/command"), Some(127));
    assert_eq!(status("/etc/passwd"), Some(126));
}

#[test]
fn a_child_ends_with_its_parent_even_when_that_is_killed() {
    let mut script = Command::new("sh");
    script.args([
        "-c",
        "\"$0\" exec --with-parent $$ -- sh -c 'echo; exec sleep 600' & wait",
        XTASK,
    ]);
    let mut parent = script.stdout(Stdio::piped()).spawn().expect("starts");
    let mut output = parent.stdout.take().expect("piped");
    output.read_exact(&mut [0]).expect("the child runs");
    parent.kill().expect("killed");
    parent.wait().expect("reaped");
    // The pipe has an end only when the child, which holds it, has ended too.
    let mut rest = Vec::new();
    output.read_to_end(&mut rest).expect("read to its end");
    assert!(rest.is_empty());
}

#[test]
fn a_child_whose_parent_is_gone_already_does_not_run() {
    let mut exec = Command::new(XTASK);
    let output = exec
        .args(["exec", "--with-parent", "1", "--", "echo", "ran"])
        .output()
        .expect("starts");
    assert!(!output.status.success());
    assert!(output.stdout.is_empty());
}
