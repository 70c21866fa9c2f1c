//! What an option of an interpreter takes, and whether it has it run something. An option that stands in no row of the table is one of which
//! nothing is known.

use claviger_sensor_common::NameWord;

mod table;
use table::TABLE;

/// What an option takes, and what it does with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Takes {
    /// Nothing, and what runs stays the same.
    Nothing,
    /// A value, attached or the next argument; what runs stays the same.
    Value,
    /// The next argument, while the letters behind it go on; what runs stays the same.
    Next,
    /// What is attached to it, which may be nothing; what runs stays the same.
    Rest,
    /// The digits that are attached to it.
    Digits,
    /// As [`Self::Nothing`], but it may have other code run as well.
    Loads,
    /// As [`Self::Value`], but it may have other code run as well.
    LoadsValue,
    /// As [`Self::Rest`], but it may have other code run as well.
    LoadsRest,
    /// Code, which is what runs.
    Code,
    /// The name of a module or class, which is what runs.
    Name,
    /// The path of the script, attached or the next argument; options may follow.
    File,
    /// The same, and it ends the options.
    LastFile,
    /// What runs is read from standard input.
    Input,
    /// Nothing runs that could be named.
    Other,
}

/// What the first argument that is no option is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum First {
    /// The path of the script.
    Script,
    /// Code, where no option has named a file.
    Code,
    /// A class, or the path of a source file of this ending.
    ClassOr(&'static str),
    /// Nothing that runs.
    Nothing,
}

/// How the arguments of an interpreter are read.
#[derive(Debug)]
pub(super) struct Options {
    /// Names of the interpreters, as the kernel half knows them.
    names: &'static [&'static str],
    /// Letters behind one dash.
    pub(super) letters: &'static [(&'static str, Takes)],
    /// Options that are a word, with their dashes; several stand in one text.
    pub(super) words: &'static [(&'static str, Takes)],
    /// What an unknown word is, where that is known of all.
    pub(super) other_words: Option<Takes>,
    /// Whether letters behind a plus are options too.
    pub(super) plus: bool,
    /// First arguments that say what is to be done with the next.
    pub(super) commands: &'static [(&'static str, Takes)],
    /// What the first argument that is no option is.
    pub(super) first: First,
}

impl Options {
    /// Those of an interpreter.
    pub(super) fn of(interpreter: NameWord) -> Option<&'static Self> {
        let is_it = |name: &&str| NameWord::of(name.as_bytes()) == interpreter;
        TABLE.iter().find(|options| options.names.iter().any(is_it))
    }

    pub(super) fn letter(&self, letter: u8) -> Option<Takes> {
        let row = self
            .letters
            .iter()
            .find(|(row, _)| row.as_bytes().contains(&letter));
        Some(row?.1)
    }

    pub(super) fn word(&self, word: &[u8]) -> Option<Takes> {
        named(self.words, word)
    }

    pub(super) fn command(&self, word: &[u8]) -> Option<Takes> {
        named(self.commands, word)
    }
}

fn named(rows: &[(&str, Takes)], word: &[u8]) -> Option<Takes> {
    let row = rows
        .iter()
        .find(|(row, _)| row.split(' ').any(|name| name.as_bytes() == word));
    Some(row?.1)
}

#[cfg(test)]
mod tests {
    use claviger_sensor_common::INTERPRETERS;

    use super::*;

    #[test]
    fn each_interpreter_that_the_kernel_half_knows_has_options() {
        for name in INTERPRETERS {
            assert!(Options::of(NameWord::of(name.as_bytes())).is_some(), "{name}");
        }
        let rows = TABLE.iter().flat_map(|options| options.names);
        for name in rows {
            assert!(INTERPRETERS.contains(name), "{name}");
        }
    }

    #[test]
    fn no_option_stands_in_two_rows() {
        for options in TABLE {
            let mut letters: Vec<_> = options.letters.iter().flat_map(|(row, _)| row.bytes()).collect();
            letters.sort_unstable();
            let all = letters.len();
            letters.dedup();
            assert_eq!(all, letters.len(), "{:?}", options.names);
            let mut words: Vec<_> = options.words.iter().flat_map(|(row, _)| row.split(' ')).collect();
            words.sort_unstable();
            let all = words.len();
            words.dedup();
            assert_eq!(all, words.len(), "{:?}", options.names);
        }
    }
}
