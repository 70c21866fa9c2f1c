//! What an interpreter runs, by its arguments as they lay in memory. Pure and total: whatever they hold, each byte is looked at a few times at most.
//!
//! Of all arguments only the one that names a script is handed on. A script beside which an option may have other code run is marked: it is told, and
//! nobody is believed for its sake.

use claviger_sensor_common::NameWord;

use super::{
    NotTold,
    options::{First, Options, Takes},
};

/// The script that arguments name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Script<'a> {
    /// Its path, as given.
    pub(super) path: &'a [u8],
    /// Whether an option may have other code run as well.
    pub(super) beside_code: bool,
}

/// What an interpreter of this name runs that was started with these arguments, each with a 0 behind it. Where they were `cut`, more follow.
pub(super) fn script(interpreter: NameWord, given: &[u8], cut: bool) -> Result<Script<'_>, NotTold> {
    let options = Options::of(interpreter).ok_or(NotTold::ByOption)?;
    let mut reader = Reader {
        options,
        left: given,
        cut,
        found: None,
        beside_code: false,
    };
    reader.read()
}

struct Reader<'a> {
    options: &'static Options,
    left: &'a [u8],
    cut: bool,
    /// What an option named while others may follow.
    found: Option<&'a [u8]>,
    beside_code: bool,
}

impl<'a> Reader<'a> {
    /// The next argument; nothing behind the last.
    fn next(&mut self) -> Result<Option<&'a [u8]>, NotTold> {
        let Some(end) = self.left.iter().position(|byte| *byte == 0) else {
            // A program may overwrite its arguments, but has not run yet: only what was cut has no end.
            return if self.cut || !self.left.is_empty() {
                Err(NotTold::TooLong)
            } else {
                Ok(None)
            };
        };
        let (argument, behind) = self.left.split_at(end);
        self.left = behind.get(1..).unwrap_or_default();
        Ok(Some(argument))
    }

    fn read(&mut self) -> Result<Script<'a>, NotTold> {
        let ended = loop {
            let argument = match self.next() {
                Ok(Some(argument)) => argument,
                Ok(None) => break Err(NotTold::NoArgument),
                Err(reason) => {
                    // Of what follows anything may be.
                    self.beside_code = true;
                    break Err(reason);
                }
            };
            match argument {
                // To a shell it says no more than that its options end.
                b"-" if self.options.plus => break self.first_of_rest(),
                b"-" => break Err(NotTold::NoArgument),
                b"--" => break self.first_of_rest(),
                [b'-', b'-', ..] => self.word(argument)?,
                [b'-', ..] if self.is_word(argument) => self.word(argument)?,
                [b'-', letters @ ..] => self.letters(letters)?,
                [b'+', letters @ ..] if self.options.plus => self.letters(letters)?,
                _ => match self.options.command(argument) {
                    Some(takes) => self.take(takes, None)?,
                    None => break self.first(argument),
                },
            }
        };
        let path = match (self.found, ended) {
            (Some(found), _) => found,
            (None, ended) => ended?,
        };
        Ok(Script {
            path,
            beside_code: self.beside_code,
        })
    }

    fn first_of_rest(&mut self) -> Result<&'a [u8], NotTold> {
        match self.next()? {
            Some(argument) => self.first(argument),
            None => Err(NotTold::NoArgument),
        }
    }

    /// The first argument that is no option.
    fn first(&self, argument: &'a [u8]) -> Result<&'a [u8], NotTold> {
        match self.options.first {
            First::Script => Ok(argument),
            First::Code => Err(NotTold::Code),
            // A file of arguments.
            First::ClassOr(_) if argument.starts_with(b"@") => Err(NotTold::ByOption),
            First::ClassOr(ending) if argument.ends_with(ending.as_bytes()) => Ok(argument),
            First::ClassOr(_) => Err(NotTold::Name),
            First::Nothing => Err(NotTold::NoArgument),
        }
    }

    /// Whether an argument with one dash is a word of this interpreter.
    fn is_word(&self, argument: &[u8]) -> bool {
        self.options.word(argument).is_some()
            || (self.options.letters.is_empty() && self.options.other_words.is_some())
    }

    fn word(&mut self, argument: &'a [u8]) -> Result<(), NotTold> {
        let equals = argument.iter().position(|byte| *byte == b'=');
        let (name, value) = match equals.and_then(|at| argument.split_at_checked(at)) {
            Some((name, value)) => (name, value.get(1..)),
            None => (argument, None),
        };
        let known = self.options.word(name).or(self.options.other_words);
        match (known, value) {
            (Some(takes), _) => self.take(takes, value),
            // Whatever it is, it has its value.
            (None, Some(_)) => self.take(Takes::Loads, None),
            (None, None) => Err(NotTold::ByOption),
        }
    }

    fn letters(&mut self, letters: &'a [u8]) -> Result<(), NotTold> {
        let mut left = letters;
        while let Some((letter, behind)) = left.split_first() {
            left = behind;
            let takes = self.options.letter(*letter).ok_or(NotTold::ByOption)?;
            match takes {
                Takes::Nothing | Takes::Loads | Takes::Next => self.take(takes, None)?,
                Takes::Digits => {
                    let digits = left.iter().take_while(|byte| byte.is_ascii_digit());
                    left = left.get(digits.count()..).unwrap_or_default();
                }
                _ => return self.take(takes, (!left.is_empty()).then_some(left)),
            }
        }
        Ok(())
    }

    /// An option, with what is attached to it.
    fn take(&mut self, takes: Takes, attached: Option<&'a [u8]>) -> Result<(), NotTold> {
        match takes {
            Takes::Nothing | Takes::Rest | Takes::Digits => {}
            Takes::Loads | Takes::LoadsRest => self.beside_code = true,
            Takes::Next => {
                self.value(None)?;
            }
            Takes::Value => {
                self.value(attached)?;
            }
            Takes::LoadsValue => {
                self.beside_code = true;
                self.value(attached)?;
            }
            // Where a file was named before, both run.
            Takes::Code | Takes::Name if self.found.is_some() => {
                self.beside_code = true;
                self.value(attached)?;
            }
            Takes::Code => return Err(NotTold::Code),
            Takes::Name => return Err(NotTold::Name),
            // What follows is not for the interpreter.
            Takes::Input | Takes::Other if self.found.is_some() => (self.left, self.cut) = (&[], false),
            Takes::Input | Takes::Other => return Err(NotTold::NoArgument),
            Takes::File | Takes::LastFile => {
                let file = self.value(attached)?;
                self.beside_code |= self.found.is_some();
                self.found.get_or_insert(file);
                if takes == Takes::LastFile {
                    (self.left, self.cut) = (&[], false);
                }
            }
        }
        Ok(())
    }

    fn value(&mut self, attached: Option<&'a [u8]>) -> Result<&'a [u8], NotTold> {
        match attached {
            Some(value) => Ok(value),
            None => self.next()?.ok_or(NotTold::NoArgument),
        }
    }
}

#[cfg(test)]
mod tests;
