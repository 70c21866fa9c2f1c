//! One sensor, with a detector, that watches while all ways are done.

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use claviger_tests::{
    Decoy, Detector, Sensor,
    ways::{
        Cell, Did, Done, Level, Outcome, Place, Programs, Required, Running, State, Way, When, all, judge,
    },
};
use serde_json::Value;

use crate::places;

/// Modes of the sensor that the document calls opt-in are switched on here.
const CONFIG: &str = "[probes]\ncompat_calls = true\n";
/// Added to it, where there is a better level.
pub(crate) const TRACEPOINTS_ALONE: &str = "file_open_hooks = ['tracepoint']\n";
/// How long what is looked for in turns (open descriptors, what came with a directory) may take. Everything else is there when the sensor has been flushed.
const PATIENCE: Duration = Duration::from_secs(20);

/// A way that was done, or could not be.
struct Attempt {
    way: Way,
    did: Did,
    path: String,
    other: String,
    inodes: Vec<u64>,
}

pub(crate) struct Watched {
    required: Required,
    level: Level,
    programs: Programs,
    attempts: Vec<Attempt>,
    /// What is held until the end. Declared before the sensor: it ends first.
    held: Vec<Running>,
    sensor: Sensor,
    detector: Detector,
    decoy: Decoy,
    _directory: tempfile::TempDir,
}

impl Watched {
    /// Makes all decoys, does what is done before, and starts the sensor.
    pub(crate) fn start(more_config: &str) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let decoy = Decoy::new();
        let place = decoy.beside("programs");
        std::fs::create_dir_all(&place).expect("a directory");
        let detector = Detector::start(directory.path());
        let sensor = Sensor::new(
            detector.address(),
            &decoy.home(),
            &format!("{CONFIG}{more_config}"),
        );
        let enrolled = sensor.enrol(detector.address(), &detector.token());
        assert!(enrolled.status.success(), "{enrolled:?}");
        let mut watched = Self {
            required: Required::read(),
            // Until the sensor says it.
            level: Level::Tracepoint,
            programs: Programs::put(&place),
            attempts: Vec::new(),
            held: Vec::new(),
            sensor,
            detector,
            decoy,
            _directory: directory,
        };
        for way in &all() {
            places::make(&watched.decoy, way);
        }
        watched.run(When::BeforeSensor);
        watched.sensor.start();
        let status = watched.sensor.status();
        let probes = status["probes"].as_array().expect("a list");
        let hook = probes
            .iter()
            .find(|probe| probe["probe"] == "file_open")
            .and_then(|probe| probe["hook"].as_str())
            .expect("opens are watched");
        watched.level = Level::of_hook(hook).unwrap_or_else(|| panic!("{hook} is of no level"));
        watched
    }

    pub(crate) fn level(&self) -> Level {
        self.level
    }

    pub(crate) fn cell(&self, way: &Way) -> Option<Cell> {
        self.required.cell(way, self.level)
    }

    pub(crate) fn kernel(&self) -> String {
        rustix::system::uname().release().to_string_lossy().into_owned()
    }

    pub(crate) fn log(&self) -> String {
        self.sensor.log()
    }

    /// Does all that is done while the sensor watches.
    pub(crate) fn run_all(&mut self) {
        let original = self.decoy.path(".ssh/id_copied");
        let copy = self.decoy.beside("copied");
        let plain = |path: &PathBuf| path.to_str().expect("plain").to_owned();
        let (_, copied) = self.programs.run("copy", &plain(&original), &plain(&copy));
        drop(copied);
        self.run(When::Watched);
        self.sensor.flush();
        self.run(When::Afterwards);
        self.sensor.flush();
    }

    fn run(&mut self, when: When) {
        for way in all().into_iter().filter(|way| way.when == when) {
            let sensor = (when != When::BeforeSensor).then_some(&self.sensor);
            let target = places::target(&self.decoy, &self.programs, sensor, &way);
            let attempt = match target {
                Ok(target) => {
                    let (did, running) = self.programs.run(way.program, &target.object, &target.other);
                    if let (Did::It { errno, .. }, Some(refused)) = (&did, way.is_refused()) {
                        assert_eq!(
                            *errno != 0,
                            refused,
                            "{} itself ended with errno {errno}",
                            way.name
                        );
                    }
                    // What is found by looking at what is open must stay open, and a path is followed while its process lives.
                    let must_live = match self.cell(&way) {
                        Some(Cell::Sweep) => true,
                        Some(Cell::Path) => way.is_followed(),
                        _ => way.is_refused_and_followed(),
                    };
                    if when == When::BeforeSensor || must_live {
                        self.held.push(running);
                    }
                    Attempt {
                        way,
                        did,
                        inodes: target.inodes(),
                        path: target.object,
                        other: target.other,
                    }
                }
                Err(reason) => Attempt {
                    way,
                    did: Did::Nothing(reason),
                    inodes: Vec::new(),
                    path: String::new(),
                    other: String::new(),
                },
            };
            self.attempts.push(attempt);
        }
    }

    /// What came of each, in the order of the table: once all that is built is seen, or nothing more is to be expected.
    pub(crate) fn judge(&self) -> Vec<(Way, Outcome)> {
        let begun = Instant::now();
        loop {
            let last = self.sensor.flush();
            let events = self.events_until(last);
            let of = |way: Way| {
                let attempt = self.attempts.iter().find(|attempt| attempt.way.name == way.name);
                (way, self.outcome(attempt.expect("all were tried"), &events))
            };
            let results: Vec<_> = all().into_iter().map(of).collect();
            let awaited = results.iter().any(|(way, outcome)| {
                matches!(outcome, Outcome::Wrong(_))
                    && self.level.state(way) == State::Built
                    && (self.cell(way) == Some(Cell::Sweep)
                        || matches!(way.place, Place::Copied | Place::NoSession))
            });
            if !awaited || begun.elapsed() > PATIENCE {
                return results;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    fn outcome(&self, attempt: &Attempt, events: &[Value]) -> Outcome {
        let cell = self.cell(&attempt.way);
        if let Did::Nothing(reason) = &attempt.did {
            return Outcome::CannotRun(reason.clone());
        }
        let paths = (attempt.path.as_str(), attempt.other.as_str());
        let Some(done) = Done::new(&attempt.way, cell, &attempt.did, paths, &attempt.inodes) else {
            return Outcome::CannotRun("it did nothing".to_owned());
        };
        match judge(&done, events) {
            Ok(()) => Outcome::Right,
            Err(why) => Outcome::Wrong(why),
        }
    }

    /// All events, once the one with this sequence has arrived.
    fn events_until(&self, last: u64) -> Vec<Value> {
        let begun = Instant::now();
        loop {
            let events = self.detector.read("events", "event");
            let arrived = events.iter().any(|event| {
                event["id"]["sequence"]
                    .as_u64()
                    .is_some_and(|sequence| sequence >= last)
            });
            if arrived {
                return events;
            }
            assert!(
                begun.elapsed() < Duration::from_secs(60),
                "event {last} does not arrive\n{}\n{}",
                self.sensor.log(),
                self.detector.log()
            );
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}
