//! The programs under test.

use std::{env, path::PathBuf, process::Command};

/// The sensor.
#[must_use]
pub fn sensor() -> Command {
    Command::new(program("CLAVIGER_SENSOR_BIN", "claviger-sensor"))
}

/// The detector.
#[must_use]
pub fn detector() -> Command {
    Command::new(program("CLAVIGER_DETECTOR_BIN", "claviger-detector"))
}

/// The hook that must be in use for file opens, where that is known beforehand.
#[must_use]
pub fn expected_hook() -> Option<String> {
    env::var("CLAVIGER_EXPECT_HOOK")
        .ok()
        .filter(|hook| !hook.is_empty())
}

/// Whether this runs in one of our VMs, where every test must be able to do its work.
#[must_use]
pub fn vm() -> bool {
    env::var_os("CLAVIGER_VM").is_some()
}

/// Whether programs can be loaded here. A test that needs it and cannot says so and passes, but never in a VM.
///
/// # Panics
/// In a VM, where it must be possible.
#[must_use]
pub fn can_load() -> bool {
    let can = rustix::process::geteuid().is_root();
    assert!(can || !vm(), "the tests run as root in a VM");
    if !can {
        eprintln!("skipped: loading eBPF programs needs root");
    }
    can
}

/// Named by the environment, else beside the tests in the target directory.
fn program(variable: &str, name: &str) -> PathBuf {
    env::var_os(variable).map_or_else(
        || {
            let test = env::current_exe().expect("a test knows where it is");
            let profile = test
                .parent()
                .and_then(std::path::Path::parent)
                .expect("target/PROFILE/deps/TEST");
            let path = profile.join(name);
            assert!(
                path.exists(),
                "{} is not built; run cargo build first",
                path.display()
            );
            path
        },
        PathBuf::from,
    )
}
