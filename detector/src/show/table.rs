//! A table for people.

use super::clean;
use super::style::{STRONG, in_style};

/// Columns as wide as their widest cell, two spaces between them.
#[must_use]
pub fn table<const N: usize>(heads: [&str; N], rows: &[[String; N]]) -> String {
    let rows: Vec<[String; N]> = rows
        .iter()
        .map(|row| row.each_ref().map(|cell| clean(cell).into_owned()))
        .collect();
    let mut widths = heads.map(|head| head.chars().count());
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let line = |cells: &[String; N]| {
        let padded = cells
            .iter()
            .zip(widths)
            .map(|(cell, width)| format!("{cell:<width$}"));
        padded.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    let mut text = in_style(STRONG, line(&heads.map(str::to_owned))) + "\n";
    for row in &rows {
        text.push_str(&line(row));
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned() {
        let rows = [
            ["a".to_owned(), "1".to_owned()],
            ["long".to_owned(), "2\n".to_owned()],
        ];
        let text = anstream::adapter::strip_str(&table(["name", "n"], &rows)).to_string();
        assert_eq!(text, "name  n\na     1\nlong  2\\u{a}\n");
    }
}
