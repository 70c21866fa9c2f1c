//! What is done to the kernel so that hooks do not run, to the sensor's cgroup, or with its keys, is told; and where hooks do not run, that is said.

use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use claviger_tests::{
    Decoy, Detector, PATIENCE, Sensor, can_load,
    ways::{Did, Programs},
};
use rustix::process::{Pid, Resource, Rlimit, prlimit};
use serde_json::{Value, json};

const OFTEN: &str = "[probes]\nself_test_interval_ms = 1000\n";

struct Host {
    detector: Detector,
    sensor: Sensor,
    _decoy: Decoy,
    _directory: tempfile::TempDir,
}

impl Host {
    fn start() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let decoy = Decoy::new();
        let detector = Detector::start(directory.path());
        let mut sensor = Sensor::new(detector.address(), &decoy.home(), OFTEN);
        let enrolled = sensor.enrol(detector.address(), &detector.token());
        assert!(enrolled.status.success(), "{enrolled:?}");
        sensor.start();
        Self {
            detector,
            sensor,
            _decoy: decoy,
            _directory: directory,
        }
    }

    fn pid(&self) -> u64 {
        self.sensor.status()["pid"].as_u64().expect("a number")
    }

    /// Waits for what `status` is to say.
    fn wait_for_status(&self, what: &str, says: impl Fn(&Value) -> bool) {
        let begun = Instant::now();
        loop {
            let status = self.sensor.status();
            if says(&status) {
                return;
            }
            assert!(
                begun.elapsed() < PATIENCE,
                "{what}: {status:#}\n{}",
                self.sensor.log()
            );
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Waits for an event about tampering by this process, doing `act` again and again.
    fn wait_for_tamper(&self, what: &str, target: &str, act: impl Fn()) {
        let begun = Instant::now();
        loop {
            act();
            self.sensor.flush();
            let events = self.detector.read("events", "event");
            let is_it = |event: &Value| {
                event["kind"] == "sensor_tamper"
                    && event["tamper"]["what"] == what
                    && event["tamper"]["target"]
                        .as_str()
                        .is_some_and(|path| path.ends_with(target))
                    && event["actor"]["process"]["pid"] == std::process::id()
            };
            if events.iter().any(is_it) {
                return;
            }
            assert!(
                begun.elapsed() < PATIENCE,
                "{what} {target}: {events:#?}\n{}",
                self.sensor.log()
            );
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}

/// A setting of the kernel, which is as it was when this is dropped.
struct Setting {
    path: &'static Path,
    before: String,
}

impl Setting {
    fn set(path: &'static str, value: &str) -> Option<Self> {
        let path = Path::new(path);
        let before = fs::read_to_string(path).ok()?;
        fs::write(path, value).ok()?;
        Some(Self { path, before })
    }
}

impl Drop for Setting {
    fn drop(&mut self) {
        fs::write(self.path, &self.before).expect("as it was");
    }
}

#[test]
fn hooks_that_the_kernel_was_told_not_to_run_are_found_out_and_who_told_it() {
    if !can_load() {
        return;
    }
    let host = Host::start();
    let status = host.sensor.status();
    let probes = status["probes"].as_array().expect("a list");
    let hook = |name: &str| {
        let probe = probes.iter().find(|probe| probe["probe"] == name);
        probe.and_then(|probe| probe["hook"].as_str()).unwrap_or_default()
    };
    let level = hook("file_open").to_owned();
    if !Path::new("/proc/sys/kernel/ftrace_enabled").exists() {
        eprintln!("skipped: this kernel has no such setting");
        return;
    }
    // Where the kernel refuses it, that it was tried is told.
    let off = Setting::set("/proc/sys/kernel/ftrace_enabled", "0");
    if off.is_none() {
        eprintln!("this kernel does not let it be set");
        return host.wait_for_tamper("setting", "kernel/ftrace_enabled", || {});
    }
    if level != "tracepoint/syscalls/sys_exit_openat" {
        host.wait_for_status("that it is blind", |status| {
            status["self_test"]["blind"]["file_open"].is_string()
        });
    }
    // Before it is set back, which is told too.
    host.wait_for_tamper("setting", "kernel/ftrace_enabled", || {});
    drop(off);
    host.wait_for_status("that it sees again", |status| {
        status["self_test"]["blind"] == json!({})
    });
}

/// Root empties the map by which the kernel half dismisses files: all hooks run, the sensor's questions are answered, and no file is known any more.
#[test]
fn a_map_that_was_emptied_is_found_out_and_the_test_itself_is_no_event() {
    if !can_load() {
        return;
    }
    let host = Host::start();
    host.wait_for_status("that it was tested", |status| {
        status["self_test"]["done"].as_u64() > Some(2)
            && status["accounts"]["dropped"]["self_test"].as_u64() > Some(2)
    });
    assert_eq!(host.sensor.status()["self_test"]["blind"], json!({}));
    host.sensor.flush();
    for event in host.detector.read("events", "event") {
        assert!(!event.to_string().contains("self-test"), "{event:#}");
    }
    let directory = tempfile::tempdir().expect("a directory");
    let programs = Programs::put(directory.path());
    let (did, _running) = programs.run("map_emptied", "PREFILTER", "");
    assert!(matches!(did, Did::It { errno: 0, .. }), "{did:?}");
    host.wait_for_status("that it is blind", |status| {
        let blind = status["self_test"]["blind"]["file_open"].as_str();
        blind.is_some_and(|reason| reason.contains("labelled file"))
    });
}

#[test]
fn who_opens_a_key_of_the_sensor_is_found_and_the_sensor_itself_never() {
    if !can_load() {
        return;
    }
    let host = Host::start();
    let key = host.sensor.state().join("identity/signing.key");
    host.wait_for_tamper("key_read", "identity/signing.key", || {
        drop(fs::File::open(&key).expect("opens"));
    });
    let begun = Instant::now();
    let is_found = |finding: &Value| finding["title"] == "key of the sensor read";
    while !host.detector.read("findings", "finding").iter().any(is_found) {
        assert!(begun.elapsed() < PATIENCE, "{}", host.sensor.log());
        std::thread::sleep(Duration::from_millis(100));
    }
    let own = host.pid();
    for event in host.detector.read("events", "event") {
        let is_own = event["actor"]["process"]["pid"] == own;
        assert!(!is_own || event["kind"] != "sensor_tamper", "{event:#}");
    }
}

/// Left alone, a process that writes more than it may is ended by a signal, and with it goes what it had to tell.
#[test]
fn a_limit_on_what_it_may_write_does_not_end_the_sensor() {
    if !can_load() {
        return;
    }
    let host = Host::start();
    let own = host.pid();
    let pid = i32::try_from(own).ok().and_then(Pid::from_raw).expect("a pid");
    host.wait_for_tamper("limit", "RLIMIT_FSIZE", || {
        let nothing = Rlimit {
            current: Some(0),
            maximum: None,
        };
        prlimit(Some(pid), Resource::Fsize, nothing).expect("set");
    });
    assert_eq!(host.pid(), own, "{}", host.sensor.log());
}

/// A tracepoint's program hangs on a perf event, which whoever has its descriptor can switch off without a word. What is attached by a link keeps
/// none.
#[test]
fn nothing_that_can_be_switched_off_is_among_the_sensors_descriptors() {
    if !can_load() {
        return;
    }
    let host = Host::start();
    let descriptors = fs::read_dir(format!("/proc/{}/fd", host.pid())).expect("there");
    let all: Vec<_> = descriptors
        .flatten()
        .filter_map(|descriptor| fs::read_link(descriptor.path()).ok())
        .map(|to| to.display().to_string())
        .collect();
    let is_link = |to: &String| to == "anon_inode:bpf_link" || to == "anon_inode:[bpf_link]";
    assert!(all.iter().any(is_link), "{all:?}");
    assert!(!all.iter().any(|to| to.contains("perf_event")), "{all:?}");
}

/// A cgroup that a process can be put into; it is gone when this is dropped, and the process where it was.
struct Cgroup {
    path: PathBuf,
    home: PathBuf,
    member: u64,
}

impl Cgroup {
    fn around(member: u64) -> Option<Self> {
        let mounts = fs::read_to_string("/proc/self/mounts").ok()?;
        let top = mounts.lines().find_map(|line| {
            let mut fields = line.split(' ').skip(1);
            let (place, kind) = (fields.next()?, fields.next()?);
            (kind == "cgroup2").then(|| PathBuf::from(place))
        })?;
        let own = fs::read_to_string(format!("/proc/{member}/cgroup")).ok()?;
        let own = own.lines().find_map(|line| line.strip_prefix("0::/"))?;
        let home = top.join(own);
        let path = home.join(format!("claviger-test-{}", std::process::id()));
        fs::create_dir(&path).ok()?;
        let cgroup = Self { path, home, member };
        fs::write(cgroup.path.join("cgroup.procs"), member.to_string()).ok()?;
        Some(cgroup)
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        // Whatever failed before: the sensor is not to stay there.
        let _moved = fs::write(self.home.join("cgroup.procs"), self.member.to_string());
        let _removed = fs::remove_dir(&self.path);
    }
}

#[test]
fn what_bounds_the_sensors_cgroup_is_its_own_wherever_it_is_moved() {
    if !can_load() {
        return;
    }
    let host = Host::start();
    let Some(cgroup) = Cgroup::around(host.pid()) else {
        eprintln!("skipped: no cgroup v2 here that a process can be moved in");
        return;
    };
    let name = cgroup.path.file_name().expect("named").to_str().expect("plain");
    host.wait_for_tamper("cgroup", name, || {});
    let file = cgroup.path.join("cgroup.freeze");
    host.wait_for_tamper("file_written", &format!("{name}/cgroup.freeze"), || {
        fs::File::options()
            .write(true)
            .open(&file)
            .expect("opened, and not written");
    });
}
