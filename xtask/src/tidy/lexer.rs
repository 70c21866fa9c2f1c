//! Rust source with its comments and the contents of its strings blanked, so that words in them are not taken for code. Lines stay lines.

/// Blanks comments, strings and characters.
pub(super) fn code(source: &str) -> String {
    let mut out = String::with_capacity(source.len());
    let mut rest = source;
    while let Some(first) = rest.chars().next() {
        let length = comment(rest)
            .or_else(|| string(rest, &out))
            .or_else(|| character(rest));
        match length {
            Some(length) => {
                let (taken, left) = rest.split_at(length);
                out.extend(taken.chars().map(|c| if c == '\n' { '\n' } else { ' ' }));
                rest = left;
            }
            None => {
                out.push(first);
                rest = &rest[first.len_utf8()..];
            }
        }
    }
    out
}

/// Length of the comment that the text begins with.
fn comment(text: &str) -> Option<usize> {
    if text.starts_with("//") {
        return Some(text.find('\n').unwrap_or(text.len()));
    }
    if !text.starts_with("/*") {
        return None;
    }
    let (mut depth, mut at) = (0_usize, 0);
    while at < text.len() {
        let here = &text.as_bytes()[at..];
        if here.starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if here.starts_with(b"*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return Some(at);
            }
        } else {
            at += 1;
        }
    }
    Some(text.len())
}

/// Length of the string that the text begins with: plain, or raw where no name ends right before it.
fn string(text: &str, before: &str) -> Option<usize> {
    if text.starts_with('"') {
        return Some(end_of_plain(text, '"'));
    }
    let within_name = before
        .chars()
        .next_back()
        .is_some_and(|c| c.is_alphanumeric() || c == '_');
    let raw = ["br", "cr", "r"]
        .iter()
        .find_map(|prefix| text.strip_prefix(prefix))
        .filter(|_| !within_name)?;
    let hashes = raw.bytes().take_while(|byte| *byte == b'#').count();
    let content = raw[hashes..].strip_prefix('"')?;
    let start = text.len() - content.len();
    let end = format!("\"{}", "#".repeat(hashes));
    Some(content.find(&end).map_or(text.len(), |at| start + at + end.len()))
}

/// Length of the character literal that the text begins with; none for a lifetime.
fn character(text: &str) -> Option<usize> {
    let content = text.strip_prefix('\'')?;
    let first = content.chars().next()?;
    if first == '\\' {
        return Some(end_of_plain(text, '\''));
    }
    content[first.len_utf8()..]
        .starts_with('\'')
        .then(|| first.len_utf8() + 2)
}

fn end_of_plain(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            c if c == quote => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// Places of a word in code: not within a longer name.
pub(super) fn words<'a>(code: &'a str, word: &'a str) -> impl Iterator<Item = usize> + 'a {
    let is_name = |c: char| c.is_alphanumeric() || c == '_';
    code.match_indices(word).map(|(at, _)| at).filter(move |at| {
        !code[..*at].chars().next_back().is_some_and(is_name)
            && !code[at + word.len()..].chars().next().is_some_and(is_name)
    })
}

/// The line of a place, counted from 1.
pub(super) fn line(text: &str, at: usize) -> usize {
    text[..at].matches('\n').count() + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_strings_are_blank() {
        let blanked = code("a // x\nb /* x /* y */\nx */ c \"x\\\"x\" d r#\"x\"x\"# e 'x' f '\\'' g");
        assert_eq!(
            blanked.split_whitespace().collect::<Vec<_>>(),
            ["a", "b", "c", "d", "e", "f", "g"]
        );
        assert_eq!(blanked.lines().count(), 3);
    }

    #[test]
    fn lifetimes_and_names_stay() {
        assert_eq!(
            code("fn f<'a>(x: &'a str, r: u8) -> bar"),
            "fn f<'a>(x: &'a str, r: u8) -> bar"
        );
    }

    #[test]
    fn what_never_ends_is_blank_to_the_end() {
        for open in ["\"abc", "r#\"abc\"", "/* abc", "'\\"] {
            assert!(code(open).trim().is_empty(), "{open}");
        }
    }

    #[test]
    fn a_word_is_not_part_of_a_name() {
        let places = |text| words(text, "aya").count();
        assert_eq!(places("use aya::Ebpf; aya_log; maya; aya"), 2);
        assert_eq!(line("a\nb\nc", 4), 3);
    }
}
