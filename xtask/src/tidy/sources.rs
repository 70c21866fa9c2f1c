//! Sizes of files, places of `unsafe`, and marks of what was left undone.

use super::Problem;
use super::crates::is_below;
use super::lexer::{code, line, words};
use super::tree::Tree;

/// The ninetieth of a hundred files in the code bases that we learn from is this long.
const LONG_LINES: usize = 430;
const TOO_LONG_LINES: usize = 700;
/// Where the kernel is talked to.
const UNSAFE_PLACES: [&str; 3] = [
    "sensor-ebpf/src",
    "sensor-user/src/kernel",
    "xtask/bench/empty/src",
];
/// Put together here so that this file has none.
const MARKS: [&str; 3] = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X")];
const MACROS: [&str; 2] = [concat!("to", "do"), concat!("un", "implemented")];

pub(super) fn check(tree: &Tree) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (path, text) in tree.files() {
        for mark in MARKS {
            problems.extend(
                words(text, mark).map(|at| {
                    Problem::error(path, line(text, at), format!("{mark}: do it, or leave it out"))
                }),
            );
        }
        if path.ends_with(".rs") {
            problems.extend(check_length(path, text));
            let code = code(text);
            if !UNSAFE_PLACES.iter().any(|place| is_below(path, place)) {
                problems.extend(
                    words(&code, "unsafe")
                        .map(|at| Problem::error(path, line(&code, at), "unsafe code has no place here")),
                );
            }
            for name in MACROS {
                let calls = words(&code, name).filter(|at| code[at + name.len()..].starts_with('!'));
                problems.extend(calls.map(|at| {
                    Problem::error(path, line(&code, at), format!("{name}!: do it, or leave it out"))
                }));
            }
        }
    }
    problems
}

fn check_length(path: &str, text: &str) -> Option<Problem> {
    let lines = text.lines().count();
    let text = format!("{lines} lines; split it by idea ({LONG_LINES} are long, {TOO_LONG_LINES} the most)");
    if lines > TOO_LONG_LINES {
        Some(Problem::error(path, 0, text))
    } else if lines > LONG_LINES {
        Some(Problem::warning(path, 0, text))
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::super::Level;
    use super::*;

    fn levels(path: &str, text: &str) -> Vec<Level> {
        check(&Tree::of(&[(path, text)]))
            .iter()
            .map(|problem| problem.level)
            .collect()
    }

    #[test]
    fn a_long_file_is_told_of_and_a_longer_one_refused() {
        assert_eq!(levels("a/src/x.rs", &"//\n".repeat(430)), []);
        assert_eq!(levels("a/src/x.rs", &"//\n".repeat(431)), [Level::Warning]);
        assert_eq!(levels("a/src/x.rs", &"//\n".repeat(701)), [Level::Error]);
    }

    #[test]
    fn unsafe_has_its_places() {
        let text = "fn f() { unsafe { g() } }";
        assert_eq!(levels("detector/src/x.rs", text), [Level::Error]);
        assert_eq!(levels("sensor-user/src/agent/x.rs", text), [Level::Error]);
        assert_eq!(levels("sensor-user/src/kernel/x.rs", text), []);
        assert_eq!(levels("sensor-ebpf/src/main.rs", text), []);
        assert_eq!(levels("sensor-ebpf/build/src/lib.rs", text), [Level::Error]);
        assert_eq!(levels("detector/src/x.rs", "// unsafe\nlet unsafe_code = 1;"), []);
    }

    #[test]
    fn nothing_is_left_undone() {
        for mark in MARKS {
            assert_eq!(levels("a/src/x.rs", &format!("// {mark}: later")), [Level::Error]);
            assert_eq!(levels("docs/x.md", &format!("{mark} later")), [Level::Error]);
        }
        for name in MACROS {
            assert_eq!(
                levels("a/src/x.rs", &format!("fn f() {{ {name}!() }}")),
                [Level::Error]
            );
        }
    }
}
