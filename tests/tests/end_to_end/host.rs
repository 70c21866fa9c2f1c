//! A host with a decoy, a detector and an enrolled sensor.

use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    process::{Command, Output},
    time::{Duration, Instant},
};

use claviger_tests::{Decoy, Detector, Exposition, PATIENCE, Sensor};
use serde_json::Value;

/// A detector and an enrolled sensor that watches a decoy's home.
pub(crate) struct Host {
    pub(crate) decoy: Decoy,
    pub(crate) detector: Detector,
    pub(crate) sensor: Sensor,
    pub(crate) _directory: tempfile::TempDir,
}

impl Host {
    pub(crate) fn new(more_config: &str) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let decoy = Decoy::new();
        let detector = Detector::start(directory.path());
        let sensor = Sensor::new(detector.address(), &decoy.home(), more_config);
        let enrolled = sensor.enrol(detector.address(), &detector.token());
        assert!(enrolled.status.success(), "{}", text(&enrolled));
        Self {
            decoy,
            detector,
            sensor,
            _directory: directory,
        }
    }

    /// Reads the decoy's AWS credentials so many times, each by a process of its own.
    pub(crate) fn read(&self, times: usize) {
        for _ in 0..times {
            let read = Command::new("/bin/cat")
                .arg(self.decoy.path(".aws/credentials"))
                .output()
                .expect("runs");
            assert!(read.status.success());
        }
    }

    /// The findings about the decoy, once there are `count`, or what there is after a minute.
    pub(crate) fn findings(&self, count: usize) -> Vec<Value> {
        self.wait_for("findings", "finding", count)
    }

    /// The uses of the decoy.
    pub(crate) fn uses(&self, count: usize) -> Vec<Value> {
        self.wait_for("events", "event", count)
    }

    /// The identity of a use: known in time, or told by an amendment where this machine is slow.
    pub(crate) fn identity_of(&self, credential: &Value, event: &Value) -> String {
        let begun = Instant::now();
        loop {
            let amendments = self.detector.read("events", "event");
            let amended = amendments
                .iter()
                .map(|event| &event["amendment"])
                .find(|amendment| amendment["amends"] == *event);
            let identities = amended.map_or(&credential["identities"], |amendment| &amendment["identities"]);
            if let Some(id) = identities[0]["id"].as_str() {
                return id.to_owned();
            }
            assert!(begun.elapsed() < PATIENCE, "{credential:#}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// All events, once the one of this sequence has arrived, or what there is after a minute.
    pub(crate) fn arrived(&self, sequence: u64) -> Vec<Value> {
        let begun = Instant::now();
        loop {
            let events = self.detector.read("events", "event");
            let is_there = events.iter().any(|event| event["id"]["sequence"] == sequence);
            if is_there || begun.elapsed() > PATIENCE {
                return events;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// The metrics, once the listener serves them. Panics where they are not as the standard has it.
    pub(crate) fn metrics(&self, address: SocketAddr) -> Exposition {
        let begun = Instant::now();
        loop {
            let answer = scrape(address).unwrap_or_default();
            if let Some((head, body)) = answer.split_once("\r\n\r\n")
                && head.starts_with("HTTP/1.1 200")
            {
                return Exposition::parse(body).unwrap_or_else(|why| panic!("{why}\n{body}"));
            }
            assert!(begun.elapsed() < PATIENCE, "{answer}\n{}", self.sensor.log());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// The metrics, once they say something.
    pub(crate) fn metrics_after(&self, address: SocketAddr, say: impl Fn(&Exposition) -> bool) -> Exposition {
        let begun = Instant::now();
        loop {
            let metrics = self.metrics(address);
            if say(&metrics) {
                return metrics;
            }
            assert!(begun.elapsed() < PATIENCE, "{metrics:#?}\n{}", self.sensor.log());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    pub(crate) fn wait_for(&self, what: &str, key: &str, count: usize) -> Vec<Value> {
        let home = self.decoy.home().display().to_string();
        let begun = Instant::now();
        loop {
            let mut found = self.detector.read(what, key);
            found.retain(|one| {
                one["credential"]["path"]
                    .as_str()
                    .is_some_and(|path| path.starts_with(&home))
            });
            // Another sensor beside this one looks at the decoy too.
            found.retain(|one| {
                one["actor"]["process"]["comm"] != "claviger-worker"
                    && one["actor"]["process"]["comm"] != "claviger-sensor"
            });
            if found.len() >= count || begun.elapsed() > PATIENCE {
                return found;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

/// An address for metrics that is free now, and its part of the configuration.
pub(crate) fn listening() -> (SocketAddr, String) {
    let free = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = free.local_addr().expect("bound");
    (address, format!("[metrics]\nlisten = \"{address}\""))
}

fn scrape(address: SocketAddr) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: sensor\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

/// What a program said.
pub(crate) fn text(output: &Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}
