//! File systems that do not answer, for the tests of what hangs.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    path::Path,
    process::{Child, ChildStdout, Command, Stdio},
};

/// File systems that do not answer, in a mount namespace of their own.
pub(super) struct Silent {
    child: Child,
    said: BufReader<ChildStdout>,
}

impl Silent {
    /// Of each directory a call that waits. Nothing where this machine has no FUSE, or not that program.
    pub(super) fn over(directories: &[(&str, &Path)]) -> Option<Self> {
        let program = env!("CARGO_BIN_EXE_silent-fuse");
        if let Some(missing) = ["/dev/fuse", program]
            .iter()
            .find(|path| !Path::new(path).exists())
        {
            eprintln!("not tested: this machine has no {missing}");
            return None;
        }
        let mut child = Command::new("unshare")
            .args(["--mount", "--propagation", "private"])
            .arg(program)
            .args(
                directories
                    .iter()
                    .map(|(call, over)| format!("{call}={}", over.display())),
            )
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("util-linux is on every Debian");
        let said = BufReader::new(child.stdout.take().expect("piped"));
        let mut silent = Self { child, said };
        silent.says("mounted\n");
        Some(silent)
    }

    fn says(&mut self, line: &str) {
        let mut said = String::new();
        self.said.read_line(&mut said).expect("UTF-8");
        assert_eq!(said, line);
    }

    /// A command that is run there.
    pub(super) fn wrapper(&self) -> Vec<String> {
        vec![
            "nsenter".to_owned(),
            format!("--mount=/proc/{}/ns/mnt", self.child.id()),
        ]
    }

    pub(super) fn run(&self, command: &[&str]) -> std::process::Output {
        let wrapper = self.wrapper();
        Command::new(&wrapper[0])
            .args(&wrapper[1..])
            .args(command)
            .output()
            .expect("runs")
    }

    /// From now on everything is answered.
    pub(super) fn answer(&mut self) {
        self.tell("answer\n");
    }

    /// From now on nothing is.
    pub(super) fn hang(&mut self) {
        self.tell("hang\n");
    }

    fn tell(&mut self, line: &str) {
        let stdin = self.child.stdin.as_mut().expect("piped");
        stdin.write_all(line.as_bytes()).expect("it runs");
        self.says(line);
    }
}

impl Drop for Silent {
    fn drop(&mut self) {
        // What hangs there ends with it.
        let _ended = self.child.kill();
        let _waited = self.child.wait();
    }
}
