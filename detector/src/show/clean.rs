//! Text from a host, made safe for a terminal.

use std::borrow::Cow;
use std::fmt::Write as _;

/// The text with every control character, and every character that changes the direction of text or is invisible, written out.
#[must_use]
pub fn clean(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_unsafe) {
        return Cow::Borrowed(text);
    }
    let mut cleaned = String::with_capacity(text.len() + 8);
    for character in text.chars() {
        if is_unsafe(character) {
            // Writing to a String cannot fail.
            let _ = write!(cleaned, "\\u{{{:x}}}", u32::from(character));
        } else {
            cleaned.push(character);
        }
    }
    Cow::Owned(cleaned)
}

/// The same for text of several lines, which stay lines.
#[must_use]
pub fn clean_lines(text: &str) -> String {
    text.split('\n').map(clean).collect::<Vec<_>>().join("\n")
}

fn is_unsafe(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}'
        )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_path_cannot_steer_the_terminal() {
        assert_eq!(clean("/home/demo/ä.txt"), "/home/demo/ä.txt");
        assert_eq!(
            clean("a\x1b[2Jb\nc\u{9b}d\u{202e}e"),
            "a\\u{1b}[2Jb\\u{a}c\\u{9b}d\\u{202e}e"
        );
    }

    #[test]
    fn lines_stay_lines_and_nothing_else_gets_through() {
        assert_eq!(clean_lines("a\x1b[2J\n  | ^\r\nb"), "a\\u{1b}[2J\n  | ^\\u{d}\nb");
    }

    proptest! {
        #[test]
        fn nothing_unsafe_is_left(text in any::<String>()) {
            prop_assert!(!clean(&text).chars().any(is_unsafe));
        }
    }
}
