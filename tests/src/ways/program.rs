//! The programs that do the ways, and what they say that they did.

use std::{
    fs::{self, Permissions},
    io::{BufRead as _, BufReader},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio},
    time::Duration,
};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use serde_json::Value;

const WAYS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/ways"));
/// Empty where the compiler makes no 32-bit programs.
const WAYS32: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/ways32"));
/// A way takes milliseconds. One that says nothing for so long hangs.
const PATIENCE: Duration = Duration::from_secs(60);

/// What the actor of a way says that it did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Did {
    /// Its one thing.
    It {
        /// Who the actor was.
        pid: u64,
        /// How it ended: 0 or the errno.
        errno: u64,
        /// The process or key that it was done to; 0 for a file.
        target: i64,
    },
    /// Nothing: this machine cannot, for this reason.
    Nothing(String),
}

impl Did {
    fn parse(line: &str) -> Option<Self> {
        let said: Value = serde_json::from_str(line).ok()?;
        if let Some(reason) = said["cannot"].as_str() {
            return Some(Self::Nothing(reason.to_owned()));
        }
        Some(Self::It {
            pid: said["pid"].as_u64()?,
            errno: said["errno"].as_u64()?,
            target: said["target"].as_i64()?,
        })
    }
}

/// The programs, in a directory.
pub struct Programs {
    directory: PathBuf,
}

impl Programs {
    /// Puts them there.
    ///
    /// # Panics
    /// Where the file system refuses.
    #[must_use]
    pub fn put(directory: &Path) -> Self {
        for (name, bytes) in [("ways", WAYS), ("ways32", WAYS32)] {
            let path = directory.join(name);
            fs::write(&path, bytes).expect("written");
            let mode = if bytes.is_empty() { 0o644 } else { 0o755 };
            fs::set_permissions(&path, Permissions::from_mode(mode)).expect("permissions");
        }
        Self {
            directory: directory.to_owned(),
        }
    }

    /// The 32-bit program, for the ways that run it.
    #[must_use]
    pub fn program32(&self) -> PathBuf {
        self.directory.join("ways32")
    }

    /// Does one way, and leaves its processes holding what they have.
    ///
    /// # Panics
    /// Where the program does not run or does not say what it did.
    #[must_use]
    pub fn run(&self, program: &str, object: &str, other: &str) -> (Did, Running) {
        let mut child = Command::new(self.directory.join("ways"))
            .args([program, object, other])
            .current_dir(&self.directory)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the ways start");
        let stdin = child.stdin.take();
        let stdout = child.stdout.take().expect("piped");
        let mut running = Running { child, stdin };
        let patience = Timespec::try_from(PATIENCE).expect("a minute");
        let mut awaited = [PollFd::new(&stdout, PollFlags::IN)];
        if poll(&mut awaited, Some(&patience)).expect("poll") == 0 {
            running.kill();
            panic!("{program} says nothing");
        }
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line).expect("UTF-8");
        let did = Did::parse(&line).unwrap_or_else(|| panic!("{program} said {line:?}"));
        (did, running)
    }
}

/// A way that is done and holds what it has, until this is dropped.
pub struct Running {
    child: Child,
    stdin: Option<ChildStdin>,
}

impl Running {
    fn kill(&mut self) {
        // It may have ended by itself; waiting tells.
        let _ended = self.child.kill();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.stdin.take());
        self.child.wait().expect("ours");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_way_says_is_read() {
        assert_eq!(
            Did::parse("{\"way\":\"x\",\"pid\":7,\"ok\":false,\"errno\":13,\"target\":0}\n"),
            Some(Did::It {
                pid: 7,
                errno: 13,
                target: 0
            })
        );
        assert_eq!(
            Did::parse("{\"way\":\"x\",\"cannot\":\"fork: no\"}"),
            Some(Did::Nothing("fork: no".into()))
        );
        assert_eq!(Did::parse(""), None);
    }

    #[test]
    fn every_way_of_the_table_is_one_of_the_programs() {
        let directory = tempfile::tempdir().expect("a directory");
        let programs = Programs::put(directory.path());
        let output = Command::new(programs.directory.join("ways"))
            .output()
            .expect("runs");
        let names: Vec<_> = std::str::from_utf8(&output.stdout)
            .expect("UTF-8")
            .lines()
            .collect();
        for way in super::super::all() {
            assert!(
                names.contains(&way.program),
                "{} is not in {names:?}",
                way.program
            );
        }
    }
}
