//! Results, on standard output.

use std::{
    fmt::{Arguments, Write as _},
    io::{self, Write as _},
    path::PathBuf,
};

/// What was to be said could not be.
#[derive(Debug, thiserror::Error)]
#[error("cannot write to {to}; is the disk that it goes to full?")]
pub(super) struct NotWritten {
    /// Where it was to go.
    pub(super) to: String,
    /// What the system said.
    #[source]
    pub(super) source: io::Error,
}

impl NotWritten {
    /// Standard output could not be written to.
    pub(super) fn stdout(source: io::Error) -> Self {
        Self {
            to: "standard output".to_owned(),
            source,
        }
    }
}

/// The file that the output was to go to cannot be made.
#[derive(Debug, thiserror::Error)]
#[error("cannot make the file {} for the output", path.display())]
pub(super) struct NotCreated {
    /// Which.
    pub(super) path: PathBuf,
    /// What the system said.
    #[source]
    pub(super) source: io::Error,
}

/// Prints a line at once, for whoever reads along. Styles are taken out where the output is no terminal. A reader that has had enough
/// (`| head`) is no error.
pub(super) fn line(text: Arguments<'_>) -> anyhow::Result<()> {
    let mut stdout = anstream::stdout().lock();
    match writeln!(stdout, "{text}").and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(NotWritten::stdout(error).into()),
        _ => Ok(()),
    }
}

/// [`line`] with the arguments of `format!`.
macro_rules! say {
    ($($argument:tt)*) => {
        $crate::cli::output::line(format_args!($($argument)*))?
    };
}
pub(super) use say;

/// A number with its word.
pub(super) fn counted<N: Into<u128>>(number: N, one: &str, several: &str) -> String {
    let number = number.into();
    format!("{number} {}", if number == 1 { one } else { several })
}

/// What came from a host, for a terminal: what could steer it, or turn the text round, stands as an escape.
pub(super) fn clean(text: &str) -> String {
    let mut cleaned = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_control() || is_unseen(character) {
            // Writing to a String cannot fail.
            let _infallible = write!(cleaned, "\\u{{{:x}}}", u32::from(character));
        } else {
            cleaned.push(character);
        }
    }
    cleaned
}

/// Characters without a shape of their own: marks of direction, joiners, separators of lines.
fn is_unseen(character: char) -> bool {
    matches!(character,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
        | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::{clean, counted};

    #[test]
    fn one_is_not_several() {
        let uses = |number: u64| counted(number, "use", "uses");
        assert_eq!([uses(0), uses(1), uses(2)], ["0 uses", "1 use", "2 uses"]);
    }

    #[test]
    fn nothing_steers_a_terminal() {
        assert_eq!(clean("plain – ü 鍵"), "plain – ü 鍵");
        assert_eq!(clean("a\u{1b}[31mb\nc"), "a\\u{1b}[31mb\\u{a}c");
        assert_eq!(clean("txt\u{202e}gpj"), "txt\\u{202e}gpj");
        assert_eq!(clean("\u{9b}2J"), "\\u{9b}2J");
    }
}
