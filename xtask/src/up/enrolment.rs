//! Joins the sensor to the detector, once; kept between runs.

use std::fs::{self, File, TryLockError};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, SystemTime};

use anyhow::Context as _;
use serde_json::Value;

use crate::build::Programs;
use crate::exit::{self, FAILED, Failure, UNAVAILABLE};

/// A sensor's certificate lives 90 days. One that is nearly over is not worth keeping in a directory that `cargo clean` empties.
const KEPT_FOR: Duration = Duration::from_secs(80 * 24 * 60 * 60);

/// Where the two programs keep their state, under `target/up/`.
pub(super) struct State {
    directory: PathBuf,
    _lock: File,
}

impl State {
    /// For this run alone; the lock ends with the process.
    pub(super) fn lock(directory: PathBuf) -> anyhow::Result<Self> {
        let path = directory.join("lock");
        let lock = File::create(&path).with_context(|| format!("creating {}", path.display()))?;
        match lock.try_lock() {
            Ok(()) => Ok(Self {
                directory,
                _lock: lock,
            }),
            Err(TryLockError::WouldBlock) => {
                let text = format!(
                    "another `cargo xtask up` runs with the state in {}: stop it first",
                    directory.display()
                );
                Err(Failure::new(UNAVAILABLE, text).into())
            }
            Err(TryLockError::Error(error)) => {
                Err(error).with_context(|| format!("locking {}", path.display()))
            }
        }
    }

    pub(super) fn detector(&self) -> PathBuf {
        self.directory.join("detector")
    }

    pub(super) fn sensor(&self) -> PathBuf {
        self.directory.join("sensor")
    }

    pub(super) fn sensor_config(&self) -> PathBuf {
        self.directory.join("sensor.toml")
    }

    pub(super) fn demo_note(&self) -> PathBuf {
        self.directory.join("demo-home-is-ours")
    }

    pub(super) fn log(&self, name: &str) -> PathBuf {
        self.directory.join(format!("{name}.log"))
    }

    fn sensor_id(&self) -> PathBuf {
        self.sensor().join("identity/sensor_id")
    }

    /// The sensor's configuration for this run.
    pub(super) fn write_config(&self, detector: &str) -> anyhow::Result<()> {
        let mut table = toml::Table::new();
        table.insert(
            "state_dir".to_owned(),
            self.sensor().to_string_lossy().into_owned().into(),
        );
        let address = toml::Table::from_iter([("address".to_owned(), detector.into())]);
        table.insert("detector".to_owned(), address.into());
        let path = self.sensor_config();
        fs::write(&path, table.to_string()).with_context(|| format!("writing {}", path.display()))
    }
}

/// Enrols the sensor, unless it is and this detector knows it. A detector must be running at `address`.
pub(super) fn ensure(programs: &Programs, state: &State, address: &str) -> anyhow::Result<()> {
    let known = output(
        Command::new(&programs.detector)
            .args(["sensors", "--json", "--data-dir"])
            .arg(state.detector()),
        None,
        "listing the detector's sensors",
    )?;
    if is_kept(state, &known) {
        return Ok(());
    }
    if state.sensor().exists() {
        eprintln!(
            "this detector does not know the sensor kept in {}: enrolling anew",
            state.sensor().display()
        );
        fs::remove_dir_all(state.sensor())
            .with_context(|| format!("removing {}", state.sensor().display()))?;
    }
    let token = output(
        Command::new(&programs.detector)
            .args(["token", "new", "--json", "--data-dir"])
            .arg(state.detector()),
        None,
        "making a join token",
    )?;
    let token = token_in(&token).context("the detector printed no token")?;
    let mut enrol = Command::new(&programs.sensor);
    enrol
        .args(["enrol", "--detector", address, "--token-file", "-", "--state-dir"])
        .arg(state.sensor());
    output(&mut enrol, Some(&token), "enrolling the sensor").map(drop)
}

fn is_kept(state: &State, known: &str) -> bool {
    let path = state.sensor_id();
    let Ok(id) = fs::read_to_string(&path) else {
        return false;
    };
    let age = fs::metadata(&path).and_then(|metadata| metadata.modified());
    // A file from the future is as good as new.
    let is_young = age.is_ok_and(|made| {
        SystemTime::now()
            .duration_since(made)
            .is_ok_and(|age| age < KEPT_FOR)
    });
    is_young && names(known, id.trim())
}

/// Whether one of the JSON objects names this sensor.
fn names(lines: &str, id: &str) -> bool {
    fn holds(value: &Value, id: &str) -> bool {
        match value {
            Value::String(text) => text == id,
            Value::Array(values) => values.iter().any(|value| holds(value, id)),
            Value::Object(fields) => fields.values().any(|value| holds(value, id)),
            _ => false,
        }
    }
    !id.is_empty()
        && lines
            .lines()
            .filter_map(|line| serde_json::from_str(line).ok())
            .any(|value| holds(&value, id))
}

fn token_in(json: &str) -> Option<String> {
    let value: Value = json.lines().find_map(|line| serde_json::from_str(line).ok())?;
    value.get("token")?.as_str().map(str::to_owned)
}

/// Runs a command that ends by itself; its standard output. What it says on standard error is in the failure.
pub(super) fn output(command: &mut Command, input: Option<&str>, what: &str) -> anyhow::Result<String> {
    command.stdin(if input.is_some() {
        Stdio::piped()
    } else {
        Stdio::null()
    });
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("{what}: starting {}", Path::new(command.get_program()).display()))?;
    if let (Some(input), Some(mut pipe)) = (input, child.stdin.take()) {
        // Less than a pipe's buffer; one that ended already tells why below.
        drop(pipe.write_all(format!("{input}\n").as_bytes()));
    }
    let Output {
        status,
        stdout,
        stderr,
    } = child
        .wait_with_output()
        .with_context(|| format!("{what}: waiting"))?;
    if status.success() {
        return Ok(String::from_utf8_lossy(&stdout).into_owned());
    }
    let code = if status.code() == Some(1) {
        FAILED
    } else {
        exit::code_of(status)
    };
    let text = format!("{what}: {}", String::from_utf8_lossy(&stderr).trim_end());
    Err(Failure::new(code, text).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sensor_is_known_by_its_id_only() {
        let lines = "{\"sensor_id\":\"a-1\",\"host\":\"h\"}\n{\"sensor\":{\"sensor_id\":\"b-2\"}}\n";
        assert!(names(lines, "a-1"));
        assert!(names(lines, "b-2"));
        assert!(!names(lines, "a"));
        assert!(!names(lines, ""));
        assert!(!names("", "a-1"));
    }

    #[test]
    fn the_token_is_read_from_json() {
        assert_eq!(
            token_in("{\"token\":\"clv1.x.y.z\"}\n").as_deref(),
            Some("clv1.x.y.z")
        );
        assert_eq!(token_in("{}"), None);
        assert_eq!(token_in("no json"), None);
    }

    #[test]
    fn a_failure_says_what_the_program_said_and_keeps_its_code() {
        let error = output(
            Command::new("sh").args(["-c", "echo nope >&2; exit 78"]),
            None,
            "trying",
        )
        .expect_err("fails");
        assert_eq!(error.to_string(), "trying: nope");
        assert_eq!(
            output(&mut Command::new("cat"), Some("x"), "trying").expect("reads"),
            "x\n"
        );
    }
}
