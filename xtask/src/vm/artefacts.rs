//! What goes into the image, compiled: both programs, the init, and the tests that meet a kernel.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde_json::Value;

use crate::build::{self, Programs};
use crate::step;
use crate::workspace::Workspace;

const TESTS: &str = "claviger-tests";
const TESTS_MANIFEST: &str = "tests/Cargo.toml";
const INIT: &str = "vm-init";

/// The tests that run on this host only, but where one is asked for by its name: they say the same on every kernel (and read files of the source tree, or wait for scans, which an emulated
/// machine makes long), or make a poorer host of this one with programs that the image does not hold.
const HERE_ONLY: [&str; 4] = ["abi", "catalogue", "golden", "poor_hosts"];

/// Paths of everything compiled.
#[derive(Debug)]
pub(super) struct Artefacts {
    pub(super) programs: Programs,
    pub(super) init: PathBuf,
    /// Name and path of each test binary.
    pub(super) tests: Vec<(String, PathBuf)>,
}

/// Without optimisation, as the tests of this host are. Of the tests one binary, or all that are not [`HERE_ONLY`].
pub(super) fn build(workspace: &Workspace, only: Option<&str>) -> anyhow::Result<Artefacts> {
    let (programs, log) = build::build_with_tests(workspace)?;
    let messages = step::text(&log)?;
    let manifest = workspace.root().join(TESTS_MANIFEST);
    let mut init = None;
    let mut tests = Vec::new();
    for artefact in messages.lines().filter_map(|line| executable(line, &manifest)) {
        match artefact {
            Executable::Test(name, path) => {
                if only.map_or_else(|| !HERE_ONLY.contains(&name.as_str()), |only| only == name) {
                    tests.push((name, path));
                }
            }
            Executable::Program(name, path) if name == INIT => init = Some(path),
            Executable::Program(..) => {}
        }
    }
    anyhow::ensure!(
        !tests.is_empty(),
        "{TESTS} has no test binary {}",
        only.unwrap_or_default()
    );
    Ok(Artefacts {
        programs,
        init: init.with_context(|| format!("{TESTS} has no binary {INIT}"))?,
        tests,
    })
}

/// The init alone.
pub(super) fn init(workspace: &Workspace) -> anyhow::Result<PathBuf> {
    let mut cargo = workspace.cargo();
    cargo.args(["build", "--locked", "--package", TESTS, "--bin", INIT]);
    step::must(workspace, "compiling the VMs' init", "vm-init", &mut cargo)?;
    Ok(workspace.target().join("debug").join(INIT))
}

#[derive(Debug, PartialEq, Eq)]
enum Executable {
    Test(String, PathBuf),
    Program(String, PathBuf),
}

/// A line of cargo's messages that tells of an integration test or a program of the package with this manifest; the log holds the compiler's own lines too.
fn executable(line: &str, manifest: &Path) -> Option<Executable> {
    let message: Value = serde_json::from_str(line).ok()?;
    if Path::new(message.get("manifest_path")?.as_str()?) != manifest {
        return None;
    }
    let path = PathBuf::from(message.get("executable")?.as_str()?);
    let target = message.get("target")?;
    let name = target.get("name")?.as_str()?.to_owned();
    let is = |kind: &str| {
        target
            .get("kind")
            .and_then(Value::as_array)
            .is_some_and(|kinds| kinds.iter().any(|k| k == kind))
    };
    let is_test = message.get("profile")?.get("test")?.as_bool()?;
    match (is("test"), is("bin"), is_test) {
        (true, _, true) => Some(Executable::Test(name, path)),
        (_, true, false) => Some(Executable::Program(name, path)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integration_tests_and_programs_are_told_from_the_rest() {
        let manifest = Path::new("/c/tests/Cargo.toml");
        let line = |kind: &str, test: bool| {
            format!(
                r#"{{"manifest_path":"/c/tests/Cargo.toml","target":{{"name":"x","kind":["{kind}"]}},"profile":{{"test":{test}}},"executable":"/t/x"}}"#
            )
        };
        let executable = |line: &str| executable(line, manifest);
        assert_eq!(
            executable(&line("test", true)),
            Some(Executable::Test("x".into(), "/t/x".into()))
        );
        assert_eq!(
            executable(&line("bin", false)),
            Some(Executable::Program("x".into(), "/t/x".into()))
        );
        assert_eq!(
            executable(&line("bin", true)),
            None,
            "a program's unit tests are not for the VM"
        );
        assert_eq!(executable(&line("lib", true)), None);
        let elsewhere = line("test", true).replace("/c/tests", "/c/xtask");
        assert_eq!(executable(&elsewhere), None, "another package's test");
        assert_eq!(executable("   Compiling x"), None);
        assert_eq!(executable(r#"{"executable":null}"#), None);
    }
}
