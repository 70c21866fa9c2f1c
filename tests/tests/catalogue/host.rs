//! A host with decoys, a catalogue of its own, a detector and an enrolled sensor.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
    time::{Duration, Instant},
};

use claviger_tests::{Decoy, Detector, PATIENCE, Sensor, sensor};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

pub(crate) struct Host {
    pub(crate) decoy: Decoy,
    pub(crate) detector: Detector,
    pub(crate) sensor: Sensor,
    directory: tempfile::TempDir,
}

impl Host {
    /// One whose operator says this, in a file of the catalogue's directory. The sensor does not run yet.
    pub(crate) fn new(own_catalogue: &str, more_config: &str) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let decoy = Decoy::new();
        let catalogue = directory.path().join("catalogue.d");
        fs::create_dir(&catalogue).expect("made");
        let detector = Detector::start(directory.path());
        let more = format!("directory = {:?}\n{more_config}", catalogue.display().to_string());
        let host = Self {
            sensor: Sensor::new(detector.address(), &decoy.home(), &more),
            decoy,
            detector,
            directory,
        };
        host.write_catalogue(own_catalogue);
        let enrolled = host.sensor.enrol(host.detector.address(), &host.detector.token());
        assert!(enrolled.status.success(), "{}", text(&enrolled));
        host
    }

    pub(crate) fn write_catalogue(&self, text: &str) {
        fs::write(self.catalogue_file(), text).expect("written");
    }

    pub(crate) fn catalogue_file(&self) -> PathBuf {
        self.directory.path().join("catalogue.d/10-own.toml")
    }

    /// Has the sensor read it again.
    pub(crate) fn reload(&self) {
        let pid = self.sensor.status()["pid"].as_i64().expect("a number");
        let pid = Pid::from_raw(i32::try_from(pid).expect("a pid")).expect("a pid");
        kill_process(pid, Signal::HUP).expect("it runs");
    }

    /// Waits until the sensor's status is so.
    pub(crate) fn wait(&self, what: &str, mut is_so: impl FnMut(&Value) -> bool) -> Value {
        let begun = Instant::now();
        loop {
            let status = self.sensor.status();
            if is_so(&status) {
                return status;
            }
            assert!(
                begun.elapsed() < PATIENCE,
                "{what}: {status:#}\n{}",
                self.sensor.log()
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// The uses of a file by `cat` so far, after everything was kept.
    pub(crate) fn uses(&self, path: &Path) -> Vec<Value> {
        let path = path.display().to_string();
        let mut events = self.kept();
        events.retain(|event| {
            event["kind"] == "credential_access"
                && event["credential"]["path"] == path
                && event["actor"]["process"]["comm"] == "cat"
        });
        events
    }

    /// All events so far, after everything was kept.
    pub(crate) fn kept(&self) -> Vec<Value> {
        let last = self.sensor.flush();
        let begun = Instant::now();
        loop {
            let events = self.detector.read("events", "event");
            let arrived = events
                .iter()
                .filter_map(|event| event["id"]["sequence"].as_u64())
                .max();
            if arrived >= Some(last) {
                return events;
            }
            assert!(
                begun.elapsed() < PATIENCE,
                "{arrived:?} of {last}\n{}",
                self.sensor.log()
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// `claviger-sensor` with these arguments and this host's configuration.
    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        sensor()
            .args(arguments)
            .arg("--config")
            .arg(self.sensor.config())
            .output()
            .expect("runs")
    }
}

/// Reads a file by a process of its own.
pub(crate) fn cat(path: &Path) {
    let read = Command::new("/bin/cat").arg(path).output().expect("runs");
    assert!(read.status.success(), "{}: {}", path.display(), text(&read));
}

/// What a program said.
pub(crate) fn text(output: &Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}
