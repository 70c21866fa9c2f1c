//! What docs/coverage-required.md asks for, read from it.

use super::{State, Way};

const DOCUMENT: &str = include_str!("../../../docs/coverage-required.md");

/// The hook that file opens are seen by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// `lsm/*`
    Lsm,
    /// `fentry/security_*`
    Fentry,
    /// tracepoints
    Tracepoint,
}

impl Level {
    /// In the order of the document's columns.
    pub const ALL: [Self; 3] = [Self::Lsm, Self::Fentry, Self::Tracepoint];

    /// By the name of the hook that is in use for opens.
    #[must_use]
    pub fn of_hook(hook: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|level| hook.split('/').next() == Some(level.word()))
    }

    /// Its name.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Lsm => "lsm",
            Self::Fentry => "fentry",
            Self::Tracepoint => "tracepoint",
        }
    }

    /// What the table says of a way at this level.
    #[must_use]
    pub const fn state(self, way: &Way) -> State {
        way.states[self as usize]
    }
}

/// What a level must see of a way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cell {
    /// The object, once.
    Must,
    /// The path that was given.
    Path,
    /// The descriptor, while it is held.
    Sweep,
    /// As must, in a mode that is off by default.
    OptIn,
    /// Nothing: an ADR says why.
    Cannot,
}

impl Cell {
    fn of_word(word: &str) -> Option<Self> {
        // A decision is linked behind the word.
        let word = word.trim_start_matches('[').split([' ', ']']).next()?;
        Some(match word {
            "must" => Self::Must,
            "path" => Self::Path,
            "sweep" => Self::Sweep,
            "opt-in" => Self::OptIn,
            "cannot" => Self::Cannot,
            _ => return None,
        })
    }
}

/// The document's rows: the text of the first column, and a cell for each level.
#[derive(Debug)]
pub struct Required {
    rows: Vec<(&'static str, [Cell; 3])>,
}

impl Required {
    /// Reads the document.
    ///
    /// # Panics
    /// Where a row has a word that is none of ours.
    #[must_use]
    pub fn read() -> Self {
        Self::parse(DOCUMENT)
    }

    fn parse(text: &'static str) -> Self {
        let mut rows = Vec::new();
        for line in text.lines().filter(|line| line.starts_with('|')) {
            let columns: Vec<_> = line.trim_matches('|').split(" | ").map(str::trim).collect();
            let [first, lsm, fentry, tracepoint] = columns[..] else {
                panic!("four columns are expected: {line}");
            };
            if first == "way" || first.starts_with("---") {
                continue;
            }
            let cells = [lsm, fentry, tracepoint].map(|word| {
                Cell::of_word(word).unwrap_or_else(|| panic!("no word of ours: {word:?} in {line}"))
            });
            rows.push((first, cells));
        }
        assert!(!rows.is_empty(), "the document has no table");
        Self { rows }
    }

    /// The only row that begins so.
    ///
    /// # Panics
    /// Where there is none, or more than one.
    #[must_use]
    pub fn row(&self, beginning: &str) -> &(&'static str, [Cell; 3]) {
        let found: Vec<_> = self
            .rows
            .iter()
            .filter(|(row, _)| row.starts_with(beginning))
            .collect();
        assert_eq!(found.len(), 1, "rows that begin with {beginning:?}");
        found[0]
    }

    /// What a level must see of a way; nothing of what is no use.
    #[must_use]
    pub fn cell(&self, way: &Way, level: Level) -> Option<Cell> {
        (!way.row.is_empty()).then(|| self.row(way.row).1[level as usize])
    }

    /// Rows that no way of the table is for.
    #[must_use]
    pub fn forgotten(&self, ways: &[Way]) -> Vec<&'static str> {
        let mut rows: Vec<_> = self.rows.iter().map(|(row, _)| *row).collect();
        rows.retain(|row| {
            !ways
                .iter()
                .any(|way| !way.row.is_empty() && row.starts_with(way.row))
        });
        rows
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_read() {
        assert_eq!(Cell::of_word("must"), Some(Cell::Must));
        assert_eq!(Cell::of_word("[cannot](adr/0009-x.md)"), Some(Cell::Cannot));
        assert_eq!(Cell::of_word("cannot ([why](adr/0009-x.md))"), Some(Cell::Cannot));
        assert_eq!(Cell::of_word("perhaps"), None);
    }

    #[test]
    fn every_row_of_the_document_has_a_way_and_every_way_its_row() {
        let required = Required::read();
        let ways = super::super::all();
        assert_eq!(required.forgotten(&ways), [""; 0]);
        for way in &ways {
            for level in Level::ALL {
                let _cell = required.cell(way, level);
            }
        }
    }

    #[test]
    #[should_panic(expected = "no word of ours")]
    fn a_word_that_is_none_is_refused() {
        let _required = Required::parse("| x | must | may | must |");
    }

    #[test]
    fn a_level_is_told_by_its_hook() {
        assert_eq!(Level::of_hook("lsm/file_open"), Some(Level::Lsm));
        assert_eq!(
            Level::of_hook("tracepoint/syscalls/sys_exit_openat"),
            Some(Level::Tracepoint)
        );
        assert_eq!(Level::of_hook("kprobe/x"), None);
    }
}
