//! Each dependency from outside, of each crate, has its line in `docs/dependencies.md`, which says that this crate uses it; and no line is of one that nobody
//! has.

use std::collections::BTreeSet;

use toml::{Table, Value};

use super::Problem;
use super::manifests::{KINDS, parse};
use super::tree::Tree;

const DOCUMENT: &str = "docs/dependencies.md";

/// How the document calls a crate of ours, in one of these ways.
const USERS: [(&str, &[&str]); 11] = [
    ("proto/Cargo.toml", &["contract", "tests of the contract"]),
    ("proto/codegen/Cargo.toml", &["test of the generated code"]),
    ("sensor-common/Cargo.toml", &["both halves of the sensor"]),
    (
        "sensor-ebpf/Cargo.toml",
        &["kernel half", "both halves of the sensor"],
    ),
    (
        "sensor-user/Cargo.toml",
        &["sensor", "both halves of the sensor", "programs"],
    ),
    ("detector/Cargo.toml", &["detector", "programs"]),
    ("tests/Cargo.toml", &["end-to-end tests"]),
    ("tests/fuzz/Cargo.toml", &["fuzz targets"]),
    ("xtask/Cargo.toml", &["xtask", "programs"]),
    ("xtask/bench/Cargo.toml", &["bench", "programs"]),
    ("xtask/bench/empty/Cargo.toml", &["empty programs"]),
];

pub(super) fn check(tree: &Tree) -> Vec<Problem> {
    let Some(document) = tree.text(DOCUMENT) else {
        return vec![Problem::error(DOCUMENT, 0, "is not there")];
    };
    let lines = lines(document);
    let mut problems = Vec::new();
    let mut used = BTreeSet::new();
    for path in tree.files().keys().filter(|path| path.ends_with("Cargo.toml")) {
        match parse(tree, path) {
            Ok(manifest) => {
                let names = from_outside(&manifest);
                problems.extend(names.iter().filter_map(|name| missing(path, name, &lines)));
                used.extend(names);
            }
            Err(problem) => problems.push(problem),
        }
    }
    for line in &lines {
        for name in line.names.iter().filter(|name| !used.contains(**name)) {
            problems.push(Problem::error(
                DOCUMENT,
                line.number,
                format!("nobody depends on {name}"),
            ));
        }
    }
    problems
}

/// A line of a table.
#[derive(Debug, PartialEq, Eq)]
struct Line<'a> {
    number: usize,
    names: Vec<&'a str>,
    users: Vec<&'a str>,
}

fn lines(document: &str) -> Vec<Line<'_>> {
    document
        .lines()
        .enumerate()
        .filter_map(|(at, line)| {
            let mut cells = line.strip_prefix("| `")?.split(" | ");
            let names = cells.next()?.split(", ").map(|name| name.trim_matches('`'));
            Some(Line {
                number: at + 1,
                names: names.collect(),
                users: cells.next()?.split(", ").collect(),
            })
        })
        .collect()
}

/// What is wrong with how the document tells of a dependency of a crate.
fn missing(manifest: &str, name: &str, lines: &[Line<'_>]) -> Option<Problem> {
    let Some(line) = lines.iter().find(|line| line.names.contains(&name)) else {
        return Some(Problem::error(
            manifest,
            0,
            format!("{name} has no line in {DOCUMENT}, which says why it is there"),
        ));
    };
    let (_, words) = USERS.iter().find(|(path, _)| *path == manifest)?;
    let is_told = words.iter().any(|word| line.users.contains(word));
    (!is_told).then(|| {
        Problem::error(
            DOCUMENT,
            line.number,
            format!("{manifest} has {name} too: {}", words.join(" or ")),
        )
    })
}

/// Dependencies of every sort that are not ours.
fn from_outside(manifest: &Table) -> BTreeSet<String> {
    let of = |name: &str| manifest.get(name).and_then(Value::as_table);
    KINDS
        .into_iter()
        .filter_map(of)
        .flat_map(Table::keys)
        .filter(|name| !name.starts_with("claviger-"))
        .cloned()
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOC: &str = "| crate | used by | why |\n| --- | --- | --- |\n| `aya` | sensor, bench | loads |\n| `anyhow`, `clap` | programs | people |\n";

    #[test]
    fn every_dependency_has_a_line_that_names_its_user() {
        let lines = lines(DOC);
        assert_eq!(lines.len(), 2, "{lines:?}");
        for (manifest, name, wrong) in [
            ("sensor-user/Cargo.toml", "aya", None),
            ("detector/Cargo.toml", "clap", None),
            (
                "detector/Cargo.toml",
                "aya",
                Some("detector/Cargo.toml has aya too"),
            ),
            ("detector/Cargo.toml", "libc", Some("libc has no line")),
            ("another/Cargo.toml", "aya", None),
        ] {
            let found = missing(manifest, name, &lines).map(|problem| problem.text);
            match wrong {
                None => assert_eq!(found, None),
                Some(wrong) => {
                    let found = found.expect("a problem");
                    assert!(found.starts_with(wrong), "{found}");
                }
            }
        }
    }

    #[test]
    fn dependencies_of_every_sort_count() {
        let manifest: Table = "[dependencies]\na = \"1\"\nclaviger-x = \"1\"\n[build-dependencies]\nb = \"1\"\n[dev-dependencies]\nc = \"1\"\n"
            .parse()
            .expect("TOML");
        assert_eq!(
            from_outside(&manifest).into_iter().collect::<Vec<_>>(),
            ["a", "b", "c"]
        );
    }
}
