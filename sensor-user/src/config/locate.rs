//! From a byte offset in the text to what a person looks for: line, column and key.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// Line and column, both from 1, the column in characters.
pub(super) fn line_and_column(text: &str, offset: usize) -> (usize, usize) {
    let before = text.get(..offset.min(text.len())).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    let line = before.matches('\n').count() + 1;
    (line, before[line_start..].chars().count() + 1)
}

/// Where the value of a dotted key begins; nothing where the text does not set it.
pub(super) fn offset_of(text: &str, key: &str) -> Option<usize> {
    let table = DeTable::parse(text).ok()?;
    let (mut table, mut names) = (table.get_ref(), key.split('.').peekable());
    loop {
        let name = names.next()?;
        let (_, value) = table.iter().find(|(key, _)| key.get_ref() == name)?;
        match (names.peek(), value.get_ref()) {
            (None, _) => return Some(value.span().start),
            (Some(_), DeValue::Table(inner)) => table = inner,
            (Some(_), _) => return None,
        }
    }
}

/// The dotted key whose name or value stands at the offset; empty where none does.
pub(super) fn key_at(text: &str, offset: usize) -> String {
    let Ok(table) = DeTable::parse(text) else {
        return String::new();
    };
    let mut path = Vec::new();
    descend(table.get_ref(), offset, &mut path);
    path.join(".")
}

fn descend(table: &DeTable<'_>, offset: usize, path: &mut Vec<String>) {
    for (name, value) in table {
        let own = name.span().contains(&offset) || value.span().contains(&offset);
        if let DeValue::Table(inner) = value.get_ref() {
            // The span of a [section] is its heading only; its keys stand behind it.
            let mut deeper = vec![name.get_ref().to_string()];
            descend(inner, offset, &mut deeper);
            if own || deeper.len() > 1 {
                path.append(&mut deeper);
                return;
            }
        } else if own {
            path.push(name.get_ref().to_string());
            return;
        }
    }
}

/// Takes a dotted key out; false where it is not there. What has dots in its own name is taken for what stands above it.
pub(super) fn take_out(table: &mut DeTable<'_>, key: &str) -> bool {
    let Some((first, rest)) = key.split_once('.') else {
        return table.remove(key).is_some();
    };
    match table.get_mut(first).map(Spanned::get_mut) {
        Some(DeValue::Table(inner)) => take_out(inner, rest),
        Some(_) => table.remove(first).is_some(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_found() {
        let text = "a = 1\n[b]\n\"ü\" = 2\nd = [1,\n 2]\n";
        assert_eq!(line_and_column(text, 0), (1, 1));
        assert_eq!(line_and_column(text, text.find("= 2").expect("there")), (3, 5));
        assert_eq!(line_and_column(text, 10_000), (6, 1));
        assert_eq!(key_at(text, text.find("= 2").expect("there") + 2), "b.ü");
        assert_eq!(key_at(text, text.find(" 2]").expect("there") + 1), "b.d");
        assert_eq!(key_at(text, 4), "a");
        assert_eq!(key_at("not toml", 0), "");
        assert_eq!(offset_of(text, "a"), Some(4));
        assert_eq!(offset_of(text, "b.d"), text.find("[1"));
        for absent in ["b.e", "a.b", "c", "b.d.e"] {
            assert_eq!(offset_of(text, absent), None, "{absent}");
        }
    }
}
