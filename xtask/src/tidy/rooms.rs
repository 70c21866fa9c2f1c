//! Rooms: the modules at the top of a crate, in the order that its documentation states.
//!
//! `//! Rooms, in order of import: a, b, c; shelf: x, y` in `lib.rs` or `main.rs`. A room imports the shelf and the rooms before it; the
//! shelf imports only the shelf. Paths are found by `crate::`, and by as many `super::` as lead to the top.

use super::Problem;
use super::lexer::{code, line, words};
use super::tree::Tree;

const MARK: &str = "//! Rooms, in order of import: ";
/// Crates that must state an order.
const MUST: [&str; 2] = ["sensor-user", "detector"];
/// At the top of a crate, and no room.
const ROOTS: [&str; 3] = ["bin", "lib", "main"];

pub(super) fn check(tree: &Tree) -> Vec<Problem> {
    let roots: Vec<_> = tree
        .files()
        .keys()
        .filter(|path| path.ends_with("/src/lib.rs") || path.ends_with("/src/main.rs"))
        .collect();
    let mut problems = Vec::new();
    for root in roots {
        let folder = root.trim_end_matches("lib.rs").trim_end_matches("main.rs");
        let text = tree.text(root).unwrap_or_default();
        match Order::parse(text) {
            Some(order) => problems.extend(check_crate(tree, folder, root, &order)),
            None if root.ends_with("lib.rs")
                && MUST.iter().any(|name| *root == format!("{name}/src/lib.rs")) =>
            {
                problems.push(Problem::error(
                    root,
                    0,
                    format!("states no order: `{MARK}…; shelf: …`"),
                ));
            }
            None => {}
        }
    }
    problems
}

/// The order that a crate states.
#[derive(Debug, PartialEq, Eq)]
struct Order {
    rooms: Vec<String>,
    shelf: Vec<String>,
}

impl Order {
    fn parse(text: &str) -> Option<Self> {
        let stated = text.lines().find_map(|line| line.strip_prefix(MARK))?;
        let (rooms, shelf) = stated.split_once("; shelf:").unwrap_or((stated, ""));
        let names = |list: &str| -> Vec<String> {
            list.split(',')
                .map(|name| name.trim().trim_end_matches('.').to_owned())
                .filter(|name| !name.is_empty())
                .collect()
        };
        Some(Self {
            rooms: names(rooms),
            shelf: names(shelf),
        })
    }

    fn knows(&self, name: &str) -> bool {
        self.rooms.iter().chain(&self.shelf).any(|known| known == name)
    }

    /// Why `from` may not import `to`, if it may not. What is neither a room nor on the shelf is an item of the crate's root.
    fn objection(&self, from: &str, to: &str) -> Option<String> {
        let place = |name: &str| self.rooms.iter().position(|room| room == name);
        match (place(from), place(to)) {
            (Some(from_place), Some(to_place)) if to_place > from_place => {
                Some(format!("room `{from}` imports `{to}`, which comes after it"))
            }
            (None, Some(_)) if self.shelf.iter().any(|name| name == from) => {
                Some(format!("`{from}` is on the shelf and imports the room `{to}`"))
            }
            _ => None,
        }
    }
}

fn check_crate(tree: &Tree, folder: &str, root: &str, order: &Order) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut met: Vec<&str> = Vec::new();
    for (path, text) in tree.sources(folder) {
        let modules: Vec<_> = path[folder.len()..]
            .trim_end_matches(".rs")
            .split('/')
            .filter(|name| *name != "mod")
            .collect();
        let Some(room) = modules.first().copied().filter(|room| !ROOTS.contains(room)) else {
            continue;
        };
        if !order.knows(room) && !met.contains(&room) {
            problems.push(Problem::error(
                root,
                0,
                format!("module `{room}` is neither a room nor on the shelf"),
            ));
        }
        met.push(room);
        let code = code(text);
        for (at, target) in imports(&code, modules.len()) {
            if let Some(objection) = order.objection(room, &target) {
                problems.push(Problem::error(path, line(&code, at), objection));
            }
        }
    }
    for name in order
        .rooms
        .iter()
        .chain(&order.shelf)
        .filter(|name| !met.contains(&name.as_str()))
    {
        problems.push(Problem::error(
            root,
            0,
            format!("`{name}` is in the order and there is no such module"),
        ));
    }
    problems
}

/// The first names of all paths that start at the top of the crate, with their places. `depth` is how far the file is below it.
fn imports(code: &str, depth: usize) -> Vec<(usize, String)> {
    let to_top = "super::".repeat(depth);
    let mut found = Vec::new();
    for start in ["crate", "super"] {
        for at in words(code, start) {
            let rest = &code[at..];
            let is_first = !code[..at].trim_end().ends_with("::");
            let rest = match start {
                "crate" => rest.strip_prefix("crate::"),
                _ if is_first => rest
                    .strip_prefix(&to_top)
                    .filter(|rest| !rest.starts_with("super::")),
                _ => None,
            };
            found.extend(
                rest.map(heads)
                    .unwrap_or_default()
                    .into_iter()
                    .map(|name| (at, name)),
            );
        }
    }
    found
}

/// `a::b` gives `a`; `{a::{b, c}, d}` gives `a` and `d`.
fn heads(rest: &str) -> Vec<String> {
    let name = |text: &str| -> String {
        text.trim_start()
            .chars()
            .take_while(|c| c.is_alphanumeric() || *c == '_')
            .collect()
    };
    let Some(group) = rest.strip_prefix('{') else {
        return vec![name(rest)];
    };
    let mut names = vec![name(group)];
    let mut depth = 0_usize;
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => names.push(name(&group[at + 1..])),
            _ => {}
        }
    }
    names.retain(|name| !name.is_empty());
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIB: (&str, &str) = (
        "detector/src/lib.rs",
        "//! Rooms, in order of import: first, second; shelf: clock\n",
    );
    const SENSOR: (&str, &str) = ("sensor-user/src/lib.rs", "//! Rooms, in order of import: a\n");
    const A: (&str, &str) = ("sensor-user/src/a.rs", "");

    fn problems(first: &str, second: &str, clock: &str) -> Vec<String> {
        let tree = Tree::of(&[
            LIB,
            SENSOR,
            A,
            ("detector/src/first/mod.rs", first),
            ("detector/src/second/deep.rs", second),
            ("detector/src/clock.rs", clock),
        ]);
        check(&tree).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn earlier_rooms_and_the_shelf_may_be_imported() {
        let second =
            "use crate::first::X;\nuse crate::{clock, first::{self, Y}};\nuse super::super::first::Z;";
        assert_eq!(
            problems("use crate::clock::Now; use crate::first::a;", second, ""),
            [""; 0]
        );
    }

    #[test]
    fn a_later_room_may_not() {
        for first in [
            "use crate::second::X;",
            "use crate::{clock, second::{a, b}};",
            "fn f() { crate::second::go(); }",
            "use super::second;",
            "pub(crate) use crate :: second;".replace(" :: ", "::").as_str(),
        ] {
            let problems = problems(first, "", "");
            assert_eq!(problems.len(), 1, "{first}: {problems:?}");
            assert!(
                problems[0].contains("first/mod.rs:1: room `first` imports `second`"),
                "{problems:?}"
            );
        }
    }

    #[test]
    fn the_shelf_imports_no_room() {
        assert_eq!(problems("", "", "use crate::first::X;").len(), 1);
    }

    #[test]
    fn words_in_comments_and_strings_are_no_imports() {
        assert_eq!(
            problems(
                "// use crate::second;\nconst A: &str = \"crate::second\";",
                "",
                ""
            ),
            [""; 0]
        );
    }

    #[test]
    fn a_module_beyond_the_order_and_a_name_without_module_are_errors() {
        let tree = Tree::of(&[
            LIB,
            SENSOR,
            A,
            ("detector/src/first.rs", ""),
            ("detector/src/other.rs", ""),
        ]);
        let text = check(&tree)
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join("\n");
        for word in [
            "module `other`",
            "`second` is in the order",
            "`clock` is in the order",
        ] {
            assert!(text.contains(word), "{word}: {text}");
        }
    }

    #[test]
    fn the_two_programs_must_state_an_order() {
        let tree = Tree::of(&[
            SENSOR,
            A,
            ("detector/src/lib.rs", "//! No order.\n"),
            ("proto/src/lib.rs", ""),
        ]);
        let problems = check(&tree);
        assert_eq!(problems.len(), 1);
        assert_eq!(problems[0].file, "detector/src/lib.rs");
    }
}
