//! What every manifest must say: the workspace's lints, and the workspace's dependencies.
//!
//! The two folders outside the workspace (`sensor-ebpf`, `tests/fuzz`) have manifests of another kind and are left out.

use toml::{Table, Value};

use super::Problem;
use super::tree::Tree;

pub(super) const KINDS: [&str; 3] = ["dependencies", "dev-dependencies", "build-dependencies"];
const ROOT: &str = "Cargo.toml";

pub(super) fn check(tree: &Tree) -> Vec<Problem> {
    let mut problems = Vec::new();
    let root = match parse(tree, ROOT) {
        Ok(root) => root,
        Err(problem) => return vec![problem],
    };
    for member in members(&root) {
        let path = format!("{member}/Cargo.toml");
        match parse(tree, &path) {
            Ok(manifest) => problems.extend(check_manifest(&path, &manifest)),
            Err(problem) => problems.push(problem),
        }
    }
    problems
}

/// Reads a manifest.
pub(super) fn parse(tree: &Tree, path: &str) -> Result<Table, Problem> {
    let text = tree
        .text(path)
        .ok_or_else(|| Problem::error(path, 0, "is not there"))?;
    text.parse()
        .map_err(|error| Problem::error(path, 0, format!("is no TOML: {error}")))
}

/// Folders of the workspace's members.
pub(super) fn members(root: &Table) -> Vec<String> {
    let members = root
        .get("workspace")
        .and_then(|workspace| workspace.get("members"))
        .and_then(Value::as_array);
    members
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .map(str::to_owned)
        .collect()
}

fn check_manifest(path: &str, manifest: &Table) -> Vec<Problem> {
    let mut problems = Vec::new();
    if !is_workspaces(manifest.get("lints")) {
        problems.push(Problem::error(path, 0, "lacks `[lints] workspace = true`"));
    }
    for kind in KINDS {
        let dependencies = manifest.get(kind).and_then(Value::as_table);
        for (name, dependency) in dependencies.into_iter().flatten() {
            if !is_workspaces(Some(dependency)) {
                let text = format!(
                    "`{name}` in [{kind}] is not the workspace's: its version belongs into the root's Cargo.toml"
                );
                problems.push(Problem::error(path, 0, text));
            }
        }
    }
    problems
}

fn is_workspaces(value: Option<&Value>) -> bool {
    value
        .and_then(|value| value.get("workspace"))
        .and_then(Value::as_bool)
        == Some(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(manifest: &str) -> usize {
        let tree = Tree::of(&[
            ("Cargo.toml", "[workspace]\nmembers = [\"a\"]\n"),
            ("a/Cargo.toml", manifest),
        ]);
        check(&tree).len()
    }

    #[test]
    fn lints_and_dependencies_come_from_the_workspace() {
        assert_eq!(
            problems(
                "[lints]\nworkspace = true\n[dependencies]\nx.workspace = true\ny = { workspace = true }\n"
            ),
            0
        );
    }

    #[test]
    fn what_does_not_is_an_error() {
        assert_eq!(problems("[dependencies]\nx.workspace = true\n"), 1, "no lints");
        assert_eq!(
            problems("[lints]\nworkspace = true\n[dependencies]\nx = \"1\"\n"),
            1
        );
        assert_eq!(
            problems("[lints]\nworkspace = true\n[dev-dependencies]\nx = { path = \"../x\" }\n"),
            1
        );
        assert_eq!(problems("[lints"), 1, "no TOML");
    }

    #[test]
    fn a_member_without_manifest_is_an_error() {
        let tree = Tree::of(&[("Cargo.toml", "[workspace]\nmembers = [\"a\"]\n")]);
        assert_eq!(check(&tree).len(), 1);
    }
}
