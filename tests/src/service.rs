//! A detector and a sensor as services, each with state of its own, ended by their process ids.

mod detector;

use std::{
    fs,
    io::{BufRead as _, BufReader, Write as _},
    net::TcpListener,
    os::unix::net::UnixDatagram,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Output, Stdio},
    thread,
    time::{Duration, Instant},
};

use rustix::io::Errno;
use rustix::process::{Pid, Resource, Rlimit, Signal, kill_process, prlimit};
use serde_json::Value;
use tempfile::TempDir;

use crate::{detector as detector_program, rcu::Expedited, sensor};

pub use detector::Detector;

/// How long a test waits for what must come: a machine may be slow, as an emulated one is at loading programs, and have much else to do. Only a test that fails
/// waits as long.
pub const PATIENCE: Duration = Duration::from_secs(240);

/// A sensor with a state of its own, running or not.
pub struct Sensor {
    directory: TempDir,
    config: PathBuf,
    child: Option<Child>,
    /// Those that were killed and not waited for.
    killed: Vec<Child>,
    /// Whether its accounts may not add up.
    is_spoiled: bool,
}

impl Sensor {
    /// A sensor for a detector's address that watches `home`, not yet enrolled nor running. More TOML goes behind the rest.
    ///
    /// # Panics
    /// Where the file system refuses.
    #[must_use]
    pub fn new(address: &str, home: &Path, more: &str) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let config = directory.path().join("sensor.toml");
        let text = format!(
            "state_dir = {:?}\nruntime_dir = {:?}\n[detector]\naddress = {address:?}\n[catalogue]\nextra_homes = [{:?}]\n\
             rescan_interval_ms = 200\n{more}\n",
            directory.path().join("state").display().to_string(),
            directory.path().join("run").display().to_string(),
            home.display().to_string(),
        );
        fs::write(&config, text).expect("written");
        Self {
            directory,
            config,
            child: None,
            killed: Vec::new(),
            is_spoiled: false,
        }
    }

    /// Its configuration file.
    #[must_use]
    pub fn config(&self) -> &Path {
        &self.config
    }

    /// Where its state lies.
    #[must_use]
    pub fn state(&self) -> PathBuf {
        self.directory.path().join("state")
    }

    /// Enrols it with a token, given on standard input.
    ///
    /// # Panics
    /// Where the program cannot be run.
    #[must_use]
    pub fn enrol(&self, address: &str, token: &str) -> Output {
        let mut child = sensor()
            .args(["enrol", "--detector", address, "--token-file", "-", "--state-dir"])
            .arg(self.state())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the sensor starts");
        child
            .stdin
            .take()
            .expect("piped")
            .write_all(token.as_bytes())
            .expect("written");
        child.wait_with_output().expect("ends")
    }

    /// Starts it and waits until it watches.
    ///
    /// # Panics
    /// Where it does not get ready.
    pub fn start(&mut self) {
        self.start_by(&[]);
    }

    /// The same by a command that starts what stands behind it, in its own place.
    ///
    /// # Panics
    /// Where it does not get ready.
    pub fn start_by(&mut self, wrapper: &[String]) {
        let mut command = wrapped(wrapper, sensor());
        command.args(["run", "--config"]).arg(&self.config);
        self.child = Some(start(command, &self.directory.path().join("sensor.log")));
    }

    /// Sends it a signal that does not end it.
    ///
    /// # Panics
    /// Where it does not run.
    pub fn signal(&self, signal: Signal) {
        let child = self.child.as_ref().expect("it runs");
        let pid = i32::try_from(child.id())
            .ok()
            .and_then(Pid::from_raw)
            .expect("a pid");
        kill_process(pid, signal).expect("it runs");
    }

    /// From now on its accounts may not add up: somebody spoils them.
    pub fn will_be_unbalanced(&mut self) {
        self.is_spoiled = true;
    }

    /// Ends it with a signal.
    ///
    /// # Panics
    /// Where its accounts did not add up while it ran.
    pub fn end(&mut self, signal: Signal) {
        if let Some(child) = self.child.take() {
            end(child, signal);
            let log = self.log();
            assert!(
                std::thread::panicking() || self.is_spoiled || !log.contains("do not add up"),
                "{log}"
            );
        }
    }

    /// Has it end, and waits until it says that it has, not until its process is gone: that is waited for when this is dropped.
    ///
    /// # Panics
    /// Where it does not run, or says nothing.
    pub fn end_without_waiting(&mut self, signal: Signal) {
        let said = self.log().len();
        self.signal(signal);
        let begun = Instant::now();
        while !self.log()[said..].contains("stopped; what was not sent waits in the spool") {
            assert!(begun.elapsed() < PATIENCE, "{}", self.log());
            thread::sleep(Duration::from_millis(20));
        }
        self.killed.extend(self.child.take());
    }

    /// Kills it and does not wait for its end: that is waited for when this is dropped.
    ///
    /// # Panics
    /// Where it does not run.
    pub fn kill_without_waiting(&mut self) {
        self.signal(Signal::KILL);
        self.killed.extend(self.child.take());
    }

    /// Has it crash, as [`crash`].
    ///
    /// # Panics
    /// Where it does not run.
    pub fn crash(&mut self) -> ExitStatus {
        crash(self.child.take().expect("it runs"))
    }

    /// Has it keep everything that happened, and returns the last sequence.
    ///
    /// # Panics
    /// Where it does not.
    pub fn flush(&self) -> u64 {
        let output = sensor()
            .args(["flush", "--json", "--config"])
            .arg(&self.config)
            .output()
            .expect("runs");
        assert!(
            output.status.success(),
            "{}\n{}",
            String::from_utf8_lossy(&output.stderr),
            self.log()
        );
        let flushed: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        flushed["sequence"].as_u64().expect("a number")
    }

    /// Its status.
    ///
    /// # Panics
    /// Where it does not answer.
    #[must_use]
    pub fn status(&self) -> Value {
        let output = sensor()
            .args(["status", "--json", "--config"])
            .arg(&self.config)
            .output()
            .expect("runs");
        assert!(
            output.status.success(),
            "{}\n{}",
            String::from_utf8_lossy(&output.stderr),
            self.log()
        );
        serde_json::from_slice(&output.stdout).expect("JSON")
    }

    /// The log that it wrote.
    #[must_use]
    pub fn log(&self) -> String {
        fs::read_to_string(self.directory.path().join("sensor.log")).unwrap_or_default()
    }
}

impl Drop for Sensor {
    fn drop(&mut self) {
        self.end(Signal::TERM);
        for mut killed in self.killed.drain(..) {
            killed.wait().expect("ours");
        }
    }
}

fn wrapped(wrapper: &[String], program: Command) -> Command {
    let Some((first, rest)) = wrapper.split_first() else {
        return program;
    };
    let mut command = Command::new(first);
    command
        .args(rest)
        .arg(program.get_program())
        .args(program.get_args());
    command
}

/// Starts a service that tells systemd when it is ready, and waits until it does.
fn start(mut command: Command, log: &Path) -> Child {
    let sockets = tempfile::tempdir().expect("a directory");
    let path = sockets.path().join("notify");
    let socket = UnixDatagram::bind(&path).expect("a socket");
    socket
        .set_read_timeout(Some(Duration::from_millis(100)))
        .expect("a bound");
    fs::create_dir_all(log.parent().expect("in a directory")).expect("a directory");
    let stderr = fs::File::options()
        .create(true)
        .append(true)
        .open(log)
        .expect("a log");
    let mut child = command
        .env("NOTIFY_SOCKET", &path)
        .current_dir(log.parent().expect("in a directory"))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(stderr)
        .spawn()
        .expect("the service starts");
    let begun = Instant::now();
    let mut buffer = [0; 4096];
    loop {
        if let Ok(length) = socket.recv(&mut buffer)
            && String::from_utf8_lossy(&buffer[..length])
                .lines()
                .any(|line| line == "READY=1")
        {
            return child;
        }
        let ended = child.try_wait().expect("ours");
        let said = || fs::read_to_string(log).unwrap_or_default();
        assert!(ended.is_none(), "the service ended with {ended:?}:\n{}", said());
        assert!(
            begun.elapsed() < PATIENCE,
            "the service is not ready:\n{}",
            said()
        );
    }
}

fn end(mut child: Child, signal: Signal) {
    let _expedited = Expedited::hold();
    if let Some(pid) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
        // It may have ended by itself; waiting tells.
        let _ended = kill_process(pid, signal);
    }
    child.wait().expect("ours");
}

/// Has a program end as one that crashes, where a core of any size may be written: also after it has given that up itself, if this machine
/// lets us raise limits.
///
/// # Panics
/// Where it does not run any more.
pub fn crash(mut child: Child) -> ExitStatus {
    let pid = i32::try_from(child.id())
        .ok()
        .and_then(Pid::from_raw)
        .expect("a pid");
    let any = Rlimit {
        current: None,
        maximum: None,
    };
    let raised = prlimit(Some(pid), Resource::Core, any).err();
    assert!(
        raised.is_none_or(|refused| refused == Errno::PERM),
        "raising a limit: {raised:?}"
    );
    let _expedited = Expedited::hold();
    kill_process(pid, Signal::ABORT).expect("it runs");
    child.wait().expect("ours")
}

/// Reads the lines of a child's standard output until `enough` says so.
///
/// # Panics
/// Where the output ends before.
pub fn lines_until(child: &mut Child, mut enough: impl FnMut(&str) -> bool) -> Vec<String> {
    let stdout = child.stdout.as_mut().expect("piped");
    let mut lines = Vec::new();
    for line in BufReader::new(stdout).lines() {
        let line = line.expect("UTF-8");
        let done = enough(&line);
        lines.push(line);
        if done {
            return lines;
        }
    }
    panic!("the output ended before: {lines:#?}");
}
