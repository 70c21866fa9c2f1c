//! Paths: put together from the kernel's components, and shown so that no byte of them is lost.

use claviger_sensor_common::PathBytes;

use super::{DecodeError, Marks};

/// An absolute path as the process's root shows it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FilePath {
    /// Its bytes. Begins with `/` unless it is truncated or empty.
    pub bytes: Vec<u8>,
    /// True where its beginning is missing.
    pub truncated: bool,
}

impl FilePath {
    /// The text that stands for it.
    #[must_use]
    pub fn display(&self) -> String {
        display(&self.bytes)
    }

    /// The last component.
    #[must_use]
    pub fn name(&self) -> &[u8] {
        self.bytes.rsplit(|byte| *byte == b'/').next().unwrap_or_default()
    }

    /// The same, of a file with these marks: one in memory lies nowhere, so it does not begin at the root.
    pub(super) fn marked(mut self, marks: Marks) -> Self {
        if marks.memfd() && self.bytes.first() == Some(&b'/') {
            self.bytes.remove(0);
        }
        self
    }

    /// This path with what a process gave relative to it: `.` and `..` are resolved by their names, for a refused open has no object to
    /// ask.
    #[must_use]
    pub fn join(&self, given: &[u8]) -> Self {
        self.join_beside(given, &Self::default())
    }

    /// The same where a process has its root at this path, over which `..` does not lead.
    pub(super) fn join_beside(&self, given: &[u8], root: &Self) -> Self {
        let root: Vec<&[u8]> = components(&root.bytes).collect();
        let mut parts: Vec<&[u8]> = Vec::new();
        let base: &[u8] = if given.first() == Some(&b'/') {
            &[]
        } else {
            &self.bytes
        };
        for part in components(base).chain(components(given)) {
            match part {
                b"." => {}
                b".." if parts == root => {}
                b".." => {
                    parts.pop();
                }
                part => parts.push(part),
            }
        }
        let mut bytes = vec![b'/'];
        bytes.extend_from_slice(&parts.join(&b'/'));
        Self {
            bytes,
            truncated: self.truncated && given.first() != Some(&b'/'),
        }
    }

    /// A path below this one, as a root that lies here shows it.
    pub(super) fn with(&self, path: &Self) -> Self {
        let below = path.bytes.strip_prefix(b"/").unwrap_or(&path.bytes);
        let mut joined = self.join(below);
        joined.truncated |= path.truncated;
        joined
    }

    /// As [`Self::join`], with all that was given as it was: what `..` leads to is for the kernel to say.
    pub(super) fn join_as_given(&self, given: &[u8]) -> Self {
        if given.first() == Some(&b'/') {
            return Self {
                bytes: given.to_vec(),
                truncated: false,
            };
        }
        let mut bytes = self.bytes.clone();
        if bytes.last() != Some(&b'/') {
            bytes.push(b'/');
        }
        bytes.extend_from_slice(given.strip_prefix(b"./").unwrap_or(given));
        Self {
            bytes,
            truncated: self.truncated,
        }
    }

    /// A path as a process gave it, of this length, with what it starts at.
    pub(super) fn given(
        base: &PathBytes,
        given: &[u8],
        given_length: u32,
        given_truncated: u32,
    ) -> Result<Self, DecodeError> {
        Self::given_by(
            Self::join,
            base,
            used(given, "given_length", given_length)?,
            given_truncated,
        )
    }

    /// As [`Self::given`], with nothing resolved by names.
    pub(super) fn given_whole(
        base: &PathBytes,
        given: &[u8],
        given_length: u32,
        given_truncated: u32,
    ) -> Result<Self, DecodeError> {
        Self::given_by(
            Self::join_as_given,
            base,
            used(given, "given_length", given_length)?,
            given_truncated,
        )
    }

    fn given_by(
        join: impl FnOnce(&Self, &[u8]) -> Self,
        base: &PathBytes,
        given: &[u8],
        given_truncated: u32,
    ) -> Result<Self, DecodeError> {
        let mut path = join(&Self::from_record(base)?, given);
        path.truncated |= given_truncated != 0;
        Ok(path)
    }

    /// From the components as the kernel half wrote them: from the object upwards, each with a terminating zero.
    pub(super) fn from_record(record: &PathBytes) -> Result<Self, DecodeError> {
        let components = used(&record.components, "path length", record.length)?;
        Ok(joined(components, record.truncated != 0))
    }
}

/// The names of a path, in order.
fn components(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    path.split(|byte| *byte == b'/').filter(|name| !name.is_empty())
}

/// A path from its components, which stand from the object upwards, each with a terminating zero.
pub(super) fn joined(components: &[u8], truncated: bool) -> FilePath {
    let used = components.strip_suffix(&[0]).unwrap_or(components);
    let mut bytes = Vec::with_capacity(used.len() + 1);
    if !used.is_empty() {
        for component in used.rsplit(|byte| *byte == 0) {
            bytes.push(b'/');
            bytes.extend_from_slice(component);
        }
    } else if !truncated {
        bytes.push(b'/');
    }
    if truncated && !bytes.is_empty() {
        // It does not begin at the root, so it must not look as if it did.
        bytes.remove(0);
    }
    FilePath { bytes, truncated }
}

/// What of a field is in use.
pub(super) fn used<'a>(bytes: &'a [u8], field: &'static str, length: u32) -> Result<&'a [u8], DecodeError> {
    let out_of_range = DecodeError::OutOfRange { field, value: length };
    let length = usize::try_from(length).map_err(|_| out_of_range)?;
    bytes.get(..length).ok_or(out_of_range)
}

/// Bytes as text: what is not UTF-8, control characters and backslashes as `\xNN`, so that it can be shown anywhere and turned back.
#[must_use]
pub fn display(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for character in chunk.valid().chars() {
            if character.is_control() || character == '\\' {
                let mut buffer = [0; 4];
                escape(&mut text, character.encode_utf8(&mut buffer).as_bytes());
            } else {
                text.push(character);
            }
        }
        escape(&mut text, chunk.invalid());
    }
    text
}

fn escape(text: &mut String, bytes: &[u8]) {
    use std::fmt::Write as _;
    for byte in bytes {
        // Writing to a String cannot fail.
        let _infallible = write!(text, "\\x{byte:02x}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(components: &[u8], truncated: u32) -> PathBytes {
        let mut record = PathBytes {
            length: u32::try_from(components.len()).expect("short"),
            truncated,
            components: [0xee; claviger_sensor_common::PATH_BYTES],
        };
        record.components[..components.len()].copy_from_slice(components);
        record
    }

    #[test]
    fn components_are_put_in_order() {
        let path = FilePath::from_record(&record(b"credentials\0.aws\0demo\0home\0", 0)).expect("a path");
        assert_eq!(path.bytes, b"/home/demo/.aws/credentials");
        assert_eq!(path.name(), b"credentials");
        assert_eq!(
            FilePath::from_record(&record(b"", 0)).expect("the root").bytes,
            b"/"
        );
    }

    #[test]
    fn a_truncated_path_does_not_look_absolute() {
        let path = FilePath::from_record(&record(b"c\0b\0", 1)).expect("a path");
        assert_eq!(path.bytes, b"b/c");
        assert!(path.truncated);
    }

    #[test]
    fn a_length_beyond_the_buffer_is_refused() {
        let mut bad = record(b"x\0", 0);
        bad.length = 1 << 20;
        assert!(matches!(
            FilePath::from_record(&bad),
            Err(DecodeError::OutOfRange {
                field: "path length",
                ..
            })
        ));
    }

    #[test]
    fn relative_paths_are_joined_by_name() {
        let base = FilePath {
            bytes: b"/home/demo".to_vec(),
            truncated: false,
        };
        assert_eq!(
            base.join(b".aws/./credentials").bytes,
            b"/home/demo/.aws/credentials"
        );
        assert_eq!(base.join(b"../../etc//shadow").bytes, b"/etc/shadow");
        assert_eq!(base.join(b"../../../../etc/shadow").bytes, b"/etc/shadow");
        assert_eq!(base.join(b"/etc/shadow").bytes, b"/etc/shadow");
    }

    #[test]
    fn every_byte_can_be_shown() {
        assert_eq!(display("schlüssel".as_bytes()), "schlüssel");
        assert_eq!(display(b"a\xff\nb\\c"), "a\\xff\\x0ab\\x5cc");
    }
}
