//! The INI dialect of AWS's files, read without copying anything.

/// One section. Of each key, the last value counts, as for AWS's own tools.
pub(super) struct Section<'a> {
    pub(super) name: &'a str,
    values: Vec<(&'a str, &'a str)>,
}

impl<'a> Section<'a> {
    /// The value of a key; never an empty one.
    pub(super) fn get(&self, key: &str) -> Option<&'a str> {
        self.values
            .iter()
            .rev()
            .find(|(name, _)| name.eq_ignore_ascii_case(key))
            .map(|(_, value)| *value)
            .filter(|value| !value.is_empty())
    }
}

/// All sections. Lines that begin with a space belong to the value above (`s3 =` and the like) and are passed over, as are lines
/// before the first section and lines that are neither.
pub(super) fn sections(text: &str) -> Vec<Section<'_>> {
    let mut sections: Vec<Section<'_>> = Vec::new();
    for line in text.trim_start_matches('\u{feff}').lines() {
        if line.starts_with([' ', '\t', '#', ';']) {
            continue;
        }
        if let Some(rest) = line.strip_prefix('[') {
            if let Some((name, _)) = rest.split_once(']') {
                sections.push(Section {
                    name: name.trim(),
                    values: Vec::new(),
                });
            }
        } else if let (Some((key, value)), Some(section)) = (line.split_once('='), sections.last_mut()) {
            section.values.push((key.trim(), without_comment(value)));
        }
    }
    sections
}

/// A comment begins with ` #` or ` ;`.
fn without_comment(value: &str) -> &str {
    let end = [" #", " ;", "\t#", "\t;"]
        .iter()
        .filter_map(|mark| value.find(mark))
        .min();
    value[..end.unwrap_or(value.len())].trim()
}
