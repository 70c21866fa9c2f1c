//! The whole way: a process opens a credential file, the detector stores a finding.

use std::{
    fs,
    path::Path,
    process::{Command, Output},
    time::{Duration, Instant},
};

use claviger_tests::{Decoy, Detector, SECRET, Sensor, can_load, expected_hook, sensor};
use rustix::process::Signal;
use serde_json::Value;

/// A detector and an enrolled sensor that watches a decoy's home.
struct Host {
    decoy: Decoy,
    detector: Detector,
    sensor: Sensor,
    _directory: tempfile::TempDir,
}

impl Host {
    fn new(more_config: &str) -> Self {
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
    fn read(&self, times: usize) {
        for _ in 0..times {
            let read = Command::new("/bin/cat")
                .arg(self.decoy.path(".aws/credentials"))
                .output()
                .expect("runs");
            assert!(read.status.success());
        }
    }

    /// The findings about the decoy, once there are `count`, or what there is after a minute.
    fn findings(&self, count: usize) -> Vec<Value> {
        self.wait_for("findings", "finding", count)
    }

    /// The uses of the decoy.
    fn uses(&self, count: usize) -> Vec<Value> {
        self.wait_for("events", "event", count)
    }

    /// The identity of a use: known in time, or told by an amendment where this machine is slow.
    fn identity_of(&self, credential: &Value, event: &Value) -> String {
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
            assert!(begun.elapsed() < Duration::from_secs(60), "{credential:#}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn wait_for(&self, what: &str, key: &str, count: usize) -> Vec<Value> {
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
            if found.len() >= count || begun.elapsed() > Duration::from_secs(60) {
                return found;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

fn text(output: &Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

#[test]
fn a_read_becomes_a_finding() {
    if !can_load() {
        return;
    }
    let mut host = Host::new("");
    host.sensor.start();
    host.read(1);
    let findings = host.findings(1);
    assert_eq!(
        findings.len(),
        1,
        "{}\n{}",
        host.sensor.log(),
        host.detector.log()
    );
    let finding = &findings[0];
    assert_eq!(finding["detection"], "unusual_reader");
    assert_eq!(
        host.identity_of(&finding["credential"], &finding["evidence"][0]),
        "AKIAIOSFODNN7EXAMPLE"
    );
    assert!(
        finding["actor"]["process"]["exe_path"]
            .as_str()
            .expect("a path")
            .ends_with("/cat")
    );
    assert!(finding["summary"].as_str().expect("a sentence").contains("cat"));
    assert!(finding["elapsed_us"].as_u64().expect("a number") > 0);

    let uses = host.uses(1);
    assert_eq!(uses.len(), 1);
    assert_eq!(
        finding["evidence"][0], uses[0]["id"],
        "the finding names its evidence"
    );
    if let Some(expected) = expected_hook() {
        assert_eq!(uses[0]["observation"]["hook"], expected);
    }
}

#[test]
fn every_use_arrives_and_the_accounts_say_so() {
    if !can_load() {
        return;
    }
    let mut host = Host::new("");
    host.sensor.start();
    host.read(200);
    host.sensor.flush();
    let uses = host.uses(200);
    assert_eq!(uses.len(), 200, "what the generator did is what arrived");
    let mut sequences: Vec<_> = host
        .detector
        .read("events", "event")
        .iter()
        .filter_map(|event| event["id"]["sequence"].as_u64())
        .collect();
    sequences.sort_unstable();
    assert_eq!(
        sequences,
        (1..=sequences.len() as u64).collect::<Vec<_>>(),
        "no hole, nothing twice"
    );

    let status = host.sensor.status();
    for probe in status["probes"].as_array().expect("a list") {
        let number = |name: &str| probe[name].as_u64().expect("a number");
        let lost: u64 = probe["lost"]
            .as_object()
            .expect("an object")
            .values()
            .filter_map(Value::as_u64)
            .sum();
        // Other processes go on between the reading of two counters: what was seen may be ahead by those.
        assert!(number("seen") >= number("submitted") + lost, "{probe:#}");
        assert_eq!(lost, 0, "{probe:#}");
    }
    let accounts = &status["accounts"];
    let dropped: u64 = accounts["dropped"]
        .as_object()
        .expect("an object")
        .values()
        .filter_map(Value::as_u64)
        .sum();
    let received = accounts["received"].as_u64().expect("a number");
    let delivered = accounts["delivered"].as_u64().expect("a number");
    let waiting = accounts["waiting"].as_u64().expect("a number");
    assert_eq!(received, delivered + waiting + dropped, "{accounts:#}");
    assert!(delivered >= 200);
}

#[test]
fn what_happens_while_the_detector_is_away_arrives_when_it_is_back() {
    if !can_load() {
        return;
    }
    let mut host = Host::new("");
    host.sensor.start();
    host.read(1);
    assert_eq!(host.uses(1).len(), 1);
    host.detector.stop();
    host.read(5);
    let last = host.sensor.flush();
    assert!(last > 1, "flushing needs no detector");
    host.detector.restart();
    assert_eq!(host.uses(6).len(), 6, "{}", host.sensor.log());
    let log = host.sensor.log();
    let mut said: Vec<_> = log
        .lines()
        .filter_map(|line| line.split_once("WARN")?.1.split_once("reason="))
        .map(|(_, reason)| reason)
        .collect();
    let all = said.len();
    said.dedup_by_key(|reason| reason.split("waiting_batches").next().map(str::to_owned));
    assert!(
        (1..=2).contains(&all) && said.len() == all,
        "each reason is said once:\n{log}"
    );
}

#[test]
fn nothing_that_was_kept_is_lost_by_kill_9() {
    if !can_load() {
        return;
    }
    let mut host = Host::new("");
    host.sensor.start();
    host.detector.stop();
    host.read(20);
    host.sensor.flush();
    host.sensor.end(Signal::KILL);
    host.sensor.start();
    host.read(5);
    host.sensor.flush();
    host.detector.restart();
    let uses = host.uses(25);
    assert_eq!(uses.len(), 25, "{}", host.sensor.log());
    let findings = host.findings(1);
    assert!(
        findings
            .iter()
            .all(|finding| finding["detection"] != "evidence_chain_broken"),
        "the chain goes on over the kill"
    );
    let gaps: Vec<_> = host
        .detector
        .read("events", "event")
        .into_iter()
        .filter(|event| event["kind"] == "gap" && event["gap"]["reason"] == "not_watching")
        .collect();
    assert_eq!(gaps.len(), 1, "the time between is told: {gaps:#?}");
}

#[test]
fn the_detector_can_be_killed_too() {
    if !can_load() {
        return;
    }
    let mut host = Host::new("");
    host.sensor.start();
    for _ in 0..3 {
        host.read(10);
        host.detector.restart();
    }
    host.sensor.flush();
    assert_eq!(host.uses(30).len(), 30, "{}", host.sensor.log());
}

#[test]
fn a_second_sensor_is_refused_and_a_trace_works_beside_it() {
    if !can_load() {
        return;
    }
    let mut host = Host::new("");
    host.sensor.start();
    let second = sensor()
        .args(["run", "--config"])
        .arg(host.sensor.config())
        .output()
        .expect("runs");
    assert_eq!(second.status.code(), Some(69), "{}", text(&second));
    assert!(text(&second).contains("another sensor runs"), "{}", text(&second));
    let command = [
        "/bin/cat".to_owned(),
        host.decoy.path(".aws/credentials").display().to_string(),
    ];
    let traced = claviger_tests::trace(host.sensor.config(), &command);
    assert_eq!(traced.events.len(), 1, "{}", traced.stderr);
    host.sensor.flush();
    // The trace opened the decoy to recognise it: that is recorded, as what it is.
    assert_eq!(host.uses(1).len(), 1, "both saw it");
    let path = host.decoy.path(".aws/credentials").display().to_string();
    let mut events = host.detector.read("events", "event");
    events.retain(|event| event["credential"]["path"] == path && event["actor"]["process"]["comm"] != "cat");
    assert!(!events.is_empty(), "the trace opened the decoy");
    assert!(
        events.iter().all(|event| event["actor"]["is_sensor"] == true),
        "{events:#?}"
    );
    let mut findings = host.detector.read("findings", "finding");
    findings.retain(|finding| finding["credential"]["path"] == path);
    assert_eq!(findings.len(), 1, "{findings:#?}");
    assert_eq!(findings[0]["actor"]["process"]["comm"], "cat");
}

#[test]
fn a_token_is_good_once() {
    let directory = tempfile::tempdir().expect("a directory");
    let detector = Detector::start(directory.path());
    let token = detector.token();
    let home = directory.path().join("home");
    let first = Sensor::new(detector.address(), &home, "");
    assert!(first.enrol(detector.address(), &token).status.success());
    let second = Sensor::new(detector.address(), &home, "").enrol(detector.address(), &token);
    assert_eq!(second.status.code(), Some(77), "{}", text(&second));
    assert!(text(&second).contains("used"), "{}", text(&second));
    let secret = token.split('.').nth(2).expect("the secret part");
    assert!(!text(&second).contains(secret), "an error never holds the secret");

    let nonsense = Sensor::new(detector.address(), &home, "").enrol(detector.address(), "clv1.nonsense");
    assert_eq!(nonsense.status.code(), Some(2), "{}", text(&nonsense));
    detector.command(&["sensors", "--json"]).output().expect("runs");
}

#[test]
fn who_is_not_enrolled_is_told_what_to_do() {
    if !can_load() {
        return;
    }
    let directory = tempfile::tempdir().expect("a directory");
    let not_enrolled = Sensor::new("127.0.0.1:1", directory.path(), "");
    let run = sensor()
        .args(["run", "--config"])
        .arg(not_enrolled.config())
        .output()
        .expect("runs");
    assert_ne!(run.status.code(), Some(0));
    assert!(text(&run).contains("claviger-sensor enrol"), "{}", text(&run));
}

#[test]
fn an_unknown_key_in_the_configuration_is_named() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("wrong.toml");
    fs::write(&path, "state_dri = \"/x\"\n").expect("written");
    let run = sensor()
        .args(["run", "--config"])
        .arg(&path)
        .output()
        .expect("runs");
    assert_eq!(run.status.code(), Some(78), "{}", text(&run));
    assert!(
        text(&run).contains("state_dri") && text(&run).contains("wrong.toml"),
        "{}",
        text(&run)
    );
}

#[test]
fn no_secret_is_anywhere() {
    if !can_load() {
        return;
    }
    let mut host = Host::new("[log]\nlevel = \"trace\"");
    host.decoy.write(
        ".kube/config",
        &format!("apiVersion: v1\nusers:\n- name: u\n  user: {{token: {SECRET}}}\n"),
    );
    host.sensor.start();
    host.read(3);
    let _read = fs::read(host.decoy.path(".kube/config")).expect("read by the test itself");
    host.sensor.flush();
    assert_eq!(host.uses(4).len(), 4);
    host.sensor.end(Signal::TERM);
    host.detector.stop();
    let mut searched = 0;
    for place in [host.sensor.state(), host.detector.directory().to_owned()] {
        search(&place, &mut searched);
    }
    assert!(searched > 4, "there was something to search");
    assert!(!host.sensor.log().contains("DECOYSECRET") && !host.detector.log().contains("DECOYSECRET"));
}

/// Fails where any file holds the planted secret.
fn search(directory: &Path, searched: &mut usize) {
    for entry in fs::read_dir(directory).expect("there").flatten() {
        let path = entry.path();
        if path.is_dir() {
            search(&path, searched);
        } else if let Ok(content) = fs::read(&path) {
            *searched += 1;
            let found = content
                .windows(SECRET.len())
                .any(|window| window == SECRET.as_bytes());
            assert!(!found, "{} holds the secret", path.display());
        }
    }
}

#[test]
fn nothing_stays_behind() {
    if !can_load() {
        return;
    }
    let mounts = || {
        let mut mounts: Vec<String> = fs::read_to_string("/proc/self/mountinfo")
            .expect("mounted")
            .lines()
            .map(str::to_owned)
            .collect();
        mounts.sort();
        mounts
    };
    let before = mounts();
    let mut host = Host::new("");
    host.sensor.start();
    host.read(1);
    assert_eq!(host.uses(1).len(), 1);
    host.sensor.end(Signal::KILL);
    assert_eq!(mounts(), before, "nothing is left mounted, even by kill -9");
    let pinned = fs::read_dir("/sys/fs/bpf").map_or(0, Iterator::count);
    assert_eq!(pinned, 0, "nothing is pinned");
}
