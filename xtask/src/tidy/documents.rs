//! Documents name what exists: relative links lead to a file, and a test that stands for an invariant is there.
//!
//! An invariant names its tests as `` Test: `path/to/file.rs` `name_of_the_test` ``, in one line.

use super::Problem;
use super::lexer::{code, words};
use super::tree::Tree;

const MARK: &str = "Test:";
const INVARIANTS: &str = "ARCHITECTURE.md";

pub(super) fn check(tree: &Tree) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (path, text) in tree.files().iter().filter(|(path, _)| path.ends_with(".md")) {
        for (number, line) in (1..).zip(text.lines()) {
            for target in links(line).filter_map(|link| resolve(path, link)) {
                if !tree.exists(&target) {
                    problems.push(Problem::error(
                        path,
                        number,
                        format!("links to {target}, which is not there"),
                    ));
                }
            }
            if path == INVARIANTS
                && let Some((_, named)) = line.split_once(MARK)
            {
                problems.extend(check_test(tree, named).map(|text| Problem::error(path, number, text)));
            }
        }
    }
    problems
}

/// Targets of `[text](target)`.
fn links(line: &str) -> impl Iterator<Item = &str> {
    line.match_indices("](")
        .filter_map(|(at, _)| line[at + 2..].split(')').next())
}

/// A relative link as a path from the root; none for a link to the world or into the same file.
fn resolve(from: &str, link: &str) -> Option<String> {
    let link = link.split(['#', ' ']).next().filter(|link| !link.is_empty())?;
    if link.contains("://") || link.starts_with("mailto:") || link.starts_with('/') {
        return None;
    }
    let mut parts: Vec<_> = from.split('/').collect();
    parts.pop();
    for part in link.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

/// What is wrong with `` `file` `name` ``, where several names may follow one file.
fn check_test(tree: &Tree, named: &str) -> Option<String> {
    let quoted: Vec<_> = named.split('`').skip(1).step_by(2).collect();
    let Some((file, names)) = quoted.split_first().filter(|(_, names)| !names.is_empty()) else {
        return Some(format!("`{MARK}` names no file and test, each in backquotes"));
    };
    let Some(text) = tree.text(file) else {
        return Some(format!("names a test in {file}, which is not there"));
    };
    let code = code(text);
    let is_there = |name: &str| words(&code, name).any(|at| code[..at].ends_with("fn "));
    names
        .iter()
        .find(|name| !is_there(name))
        .map(|name| format!("{file} has no test {name}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(document: &str) -> Vec<String> {
        let tree = Tree::of(&[
            ("ARCHITECTURE.md", document),
            (
                "docs/adr/0001-x.md",
                "[up](../../ARCHITECTURE.md#there) [out](https://example.org/x) [here](#x)",
            ),
            ("a/tests/b.rs", "#[test]\nfn it_holds() {}\n// fn it_is_gone()\n"),
        ]);
        check(&tree).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn links_and_tests_that_exist_are_well() {
        let document = "[one](docs/adr/0001-x.md) and [again](./docs/adr/0001-x.md#part)\nTest: `a/tests/b.rs` `it_holds`.\n";
        assert_eq!(problems(document), [""; 0]);
    }

    #[test]
    fn a_link_to_nothing_is_an_error() {
        assert_eq!(
            problems("a\n[x](docs/adr/0002-y.md)\n"),
            ["error: ARCHITECTURE.md:2: links to docs/adr/0002-y.md, which is not there"]
        );
    }

    #[test]
    fn a_test_that_does_not_exist_is_an_error() {
        for line in [
            "Test: `a/tests/b.rs` `it_breaks`",
            "Test: `a/tests/b.rs` `it_is_gone`",
            "Test: `a/tests/c.rs` `it_holds`",
            "Test: `a/tests/b.rs`",
            "Test: `a/tests/b.rs` `it_holds` `it_breaks`",
            "Test: some",
        ] {
            assert_eq!(problems(line).len(), 1, "{line}");
        }
    }
}
