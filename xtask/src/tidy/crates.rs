//! Edges between our crates: `sensor-ebpf → sensor-common ← sensor-user → proto ← detector`. A new one is a design decision, to be
//! written down in `docs/adr/` and here.

use toml::Value;

use super::Problem;
use super::lexer::{code, line, words};
use super::manifests::{KINDS, members, parse};
use super::tree::Tree;

/// Which of our crates a folder's crate may depend on. `tests`, `tests/fuzz` and `xtask` may depend on any.
const EDGES: [(&str, &[&str]); 8] = [
    ("detector", &["claviger-proto"]),
    ("proto", &[]),
    ("proto/codegen", &["claviger-proto"]),
    ("sensor-common", &[]),
    ("sensor-ebpf", &["claviger-sensor-common"]),
    ("sensor-ebpf/build", &[]),
    (
        "sensor-user",
        &["claviger-ebpf-build", "claviger-proto", "claviger-sensor-common"],
    ),
    ("xtask/bench", &["claviger-ebpf-build"]),
];
const FREE: [&str; 3] = ["tests", "tests/fuzz", "xtask"];
const OURS: &str = "claviger-";
/// The one room that names aya, so that another loader would change one room.
const AYA_ROOM: &str = "sensor-user/src/kernel";
/// The crates that may depend on it: the sensor, and the bench, which loads programs of its own to compare the sensor's with.
const AYA_USERS: [&str; 2] = ["sensor-user", "xtask/bench"];
const AYA_CRATES: [&str; 3] = ["aya", "aya-log", "aya-obj"];

pub(super) fn check(tree: &Tree) -> Vec<Problem> {
    let mut problems = Vec::new();
    let members = parse(tree, "Cargo.toml")
        .map(|root| members(&root))
        .unwrap_or_default();
    for folder in members
        .iter()
        .map(String::as_str)
        .chain(["sensor-ebpf"])
        .filter(|folder| !FREE.contains(folder))
    {
        match EDGES.iter().find(|(known, _)| *known == folder) {
            Some((_, allowed)) => problems.extend(check_edges(tree, folder, allowed)),
            None => problems.push(Problem::error(
                "Cargo.toml",
                0,
                format!("`{folder}` is a crate that has no edges yet: give it some in tidy"),
            )),
        }
    }
    problems.extend(check_aya(tree));
    problems
}

fn check_edges(tree: &Tree, folder: &str, allowed: &[&str]) -> Vec<Problem> {
    let path = format!("{folder}/Cargo.toml");
    let manifest = match parse(tree, &path) {
        Ok(manifest) => manifest,
        Err(problem) => return vec![problem],
    };
    let mut problems = Vec::new();
    for kind in KINDS {
        let dependencies = manifest.get(kind).and_then(Value::as_table);
        for name in dependencies.into_iter().flatten().map(|(name, _)| name) {
            if name.starts_with(OURS) && !allowed.contains(&name.as_str()) {
                problems.push(Problem::error(
                    &path,
                    0,
                    format!("`{folder}` may not depend on `{name}`"),
                ));
            }
            if AYA_CRATES.contains(&name.as_str()) && !AYA_USERS.contains(&folder) {
                problems.push(Problem::error(
                    &path,
                    0,
                    format!("only `{AYA_ROOM}` names {name}"),
                ));
            }
        }
    }
    problems
}

fn check_aya(tree: &Tree) -> Vec<Problem> {
    let outside = tree
        .sources("sensor-user/src")
        .filter(|(path, _)| !is_below(path, AYA_ROOM));
    let mut problems = Vec::new();
    for (path, text) in outside {
        let code = code(text);
        for name in AYA_CRATES.map(|name| name.replace('-', "_")) {
            let uses = words(&code, &name).filter(|at| {
                code[at + name.len()..].starts_with("::")
                    || code[..*at].ends_with("use ")
                    || code[..*at].ends_with("extern crate ")
            });
            problems.extend(uses.map(|at| {
                Problem::error(
                    path,
                    line(&code, at),
                    format!("names {name}; only `{AYA_ROOM}` does"),
                )
            }));
        }
    }
    problems
}

/// In the folder, or the file of that name.
pub(super) fn is_below(path: &str, folder: &str) -> bool {
    path.strip_prefix(folder)
        .is_some_and(|rest| rest.starts_with('/') || rest == ".rs")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(folder: &str, manifest: &str, source: (&str, &str)) -> Vec<String> {
        let root = format!("[workspace]\nmembers = [\"{folder}\"]\n");
        let path = format!("{folder}/Cargo.toml");
        let tree = Tree::of(&[
            ("Cargo.toml", &root),
            (&path, manifest),
            ("sensor-ebpf/Cargo.toml", ""),
            source,
        ]);
        check(&tree).iter().map(ToString::to_string).collect()
    }

    const NONE: (&str, &str) = ("x.rs", "");

    #[test]
    fn the_edges_of_the_design_are_there() {
        let manifest = "[dependencies]\nclaviger-proto.workspace = true\nserde.workspace = true\n";
        assert_eq!(problems("detector", manifest, NONE), [""; 0]);
    }

    #[test]
    fn the_detector_does_not_know_the_sensor() {
        let manifest = "[dev-dependencies]\nclaviger-sensor.workspace = true\n";
        assert_eq!(
            problems("detector", manifest, NONE),
            ["error: detector/Cargo.toml: `detector` may not depend on `claviger-sensor`"]
        );
    }

    #[test]
    fn a_new_crate_needs_edges() {
        assert_eq!(problems("other", "", NONE).len(), 1);
    }

    #[test]
    fn aya_stays_in_its_room() {
        let manifest = "[dependencies]\naya.workspace = true\n";
        assert_eq!(problems("proto", manifest, NONE).len(), 1);
        assert_eq!(problems("xtask/bench", manifest, NONE), [""; 0]);
        for text in ["use aya::Ebpf;", "fn f() -> aya::Ebpf {}", "use aya_log as l;"] {
            assert_eq!(
                problems("proto", "", ("sensor-user/src/agent/mod.rs", text)).len(),
                1,
                "{text}"
            );
            assert_eq!(
                problems("proto", "", ("sensor-user/src/kernel/load.rs", text)),
                [""; 0]
            );
        }
        assert_eq!(
            problems(
                "proto",
                "",
                ("sensor-user/src/agent/mod.rs", "// aya::Ebpf\nlet maya = 1;")
            ),
            [""; 0]
        );
    }
}
