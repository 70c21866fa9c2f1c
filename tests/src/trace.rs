//! `claviger-sensor trace`, run as a user would.

use std::{
    ffi::OsStr,
    fs,
    path::Path,
    process::{Command, Stdio},
};

use serde_json::Value;

use crate::{rcu::Expedited, sensor};

/// What a trace gave.
#[derive(Debug)]
pub struct Traced {
    /// The exit status; nothing where a signal ended it.
    pub status: Option<i32>,
    /// The events.
    pub events: Vec<Value>,
    /// Standard error.
    pub stderr: String,
    /// Everything that was printed to standard output, as it was.
    pub stdout: String,
}

impl Traced {
    /// The events on one path.
    #[must_use]
    pub fn on(&self, path: &Path) -> Vec<&Value> {
        let path = path.to_str().expect("decoys have plain names");
        self.events
            .iter()
            .filter(|event| event["credential"]["path"] == path)
            .collect()
    }

    /// The only event.
    ///
    /// # Panics
    /// Where there is none, or more than one.
    #[must_use]
    pub fn only(&self) -> &Value {
        assert_eq!(self.events.len(), 1, "{self:#?}");
        &self.events[0]
    }
}

/// What a trace told people.
#[derive(Debug)]
pub struct Told {
    /// The exit status; nothing where a signal ended it.
    pub status: Option<i32>,
    /// What was told of uses.
    pub words: String,
    /// Standard error: the command's, and what is said at the end.
    pub stderr: String,
}

/// What a trace of a command tells people, with a configuration.
///
/// # Panics
/// Where the sensor cannot be started or tells nothing.
pub fn told<S: AsRef<OsStr>>(config: &Path, command: &[S]) -> Told {
    let _expedited = Expedited::hold();
    let directory = tempfile::tempdir().expect("a directory");
    let words = directory.path().join("words");
    let output = sensor()
        .args(["trace", "--config"])
        .arg(config)
        .arg("--output")
        .arg(&words)
        .arg("--")
        .args(command)
        .stdin(Stdio::null())
        .output()
        .expect("the sensor starts");
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    Told {
        status: output.status.code(),
        words: fs::read_to_string(&words).unwrap_or_else(|error| panic!("{error}\n{stderr}")),
        stderr,
    }
}

/// Traces a command with a configuration.
///
/// # Panics
/// Where the sensor cannot be started or prints what is no JSON.
pub fn trace<S: AsRef<OsStr>>(config: &Path, command: &[S]) -> Traced {
    run(sensor(), &[], config, command)
}

/// As [`trace`], with more options.
///
/// # Panics
/// As [`trace`].
pub fn trace_with<S: AsRef<OsStr>>(options: &[&str], config: &Path, command: &[S]) -> Traced {
    run(sensor(), options, config, command)
}

/// As [`trace`], with a sensor that another command starts: its program and arguments, behind which the sensor's command line goes.
///
/// # Panics
/// As [`trace`].
pub fn trace_by<S: AsRef<OsStr>>(wrapper: &[String], config: &Path, command: &[S]) -> Traced {
    let (program, arguments) = wrapper.split_first().expect("a wrapper");
    let mut wrapped = Command::new(program);
    wrapped.args(arguments).arg(sensor().get_program());
    run(wrapped, &[], config, command)
}

fn run<S: AsRef<OsStr>>(mut sensor: Command, options: &[&str], config: &Path, command: &[S]) -> Traced {
    let _expedited = Expedited::hold();
    let output = sensor
        .args(["trace", "--json", "--config"])
        .arg(config)
        .args(options)
        .arg("--")
        .args(command)
        .stdin(Stdio::null())
        .output()
        .expect("the sensor starts");
    let stdout = String::from_utf8(output.stdout).expect("UTF-8");
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    let events = stdout
        .lines()
        .map(|line| {
            let object: Value =
                serde_json::from_str(line).unwrap_or_else(|error| panic!("{line:?}: {error}\n{stderr}"));
            object["event"].clone()
        })
        .collect();
    Traced {
        status: output.status.code(),
        events,
        stderr,
        stdout,
    }
}
