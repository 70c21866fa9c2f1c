//! What lies between two heads.

/// Bytes of a line with the size of a chunk, at most; extensions are unusual.
const SIZE_LINE_MAX: usize = 256;

/// What of a message's body is still to come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// So many bytes.
    Length(u64),
    /// Chunks, each with its size before it.
    Chunks(Chunk),
    /// Everything that follows: another protocol, or an answer that ends with its connection.
    Rest,
}

/// Where among chunks a stream is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Chunk {
    /// In the line that says the size of the next.
    Size(Vec<u8>),
    /// In one, so many bytes before its end and the line break behind it.
    Content(u64),
    /// Behind the last, in a line that is so long by now.
    Trailer(u64),
}

impl Body {
    /// Passes over what belongs to it; how many bytes that is. Nothing where they cannot be of it.
    pub(super) fn pass(&mut self, bytes: &[u8]) -> Option<usize> {
        match self {
            Self::Length(left) => Some(pass(left, bytes)),
            Self::Rest => Some(bytes.len()),
            Self::Chunks(_) => {
                let mut passed = 0;
                while passed < bytes.len() && !self.is_over() {
                    passed += self.chunk(&bytes[passed..])?;
                }
                Some(passed)
            }
        }
    }

    fn chunk(&mut self, bytes: &[u8]) -> Option<usize> {
        let Self::Chunks(chunk) = self else { return Some(0) };
        match chunk {
            Chunk::Content(left) => {
                let passed = pass(left, bytes);
                if *left == 0 {
                    *chunk = Chunk::Size(Vec::new());
                }
                Some(passed)
            }
            Chunk::Size(line) => {
                let end = bytes.iter().position(|byte| *byte == b'\n').map(|at| at + 1);
                let taken = end.unwrap_or(bytes.len());
                line.extend_from_slice(&bytes[..taken]);
                if line.len() > SIZE_LINE_MAX {
                    return None;
                }
                if end.is_some() {
                    let Ok(httparse::Status::Complete((_, size))) = httparse::parse_chunk_size(line) else {
                        return None;
                    };
                    *chunk = if size == 0 {
                        Chunk::Trailer(0)
                    } else {
                        Chunk::Content(size.checked_add(2)?)
                    };
                }
                Some(taken)
            }
            Chunk::Trailer(length) => {
                let end = bytes.iter().position(|byte| *byte == b'\n');
                let line = &bytes[..end.unwrap_or(bytes.len())];
                *length += line.iter().filter(|byte| **byte != b'\r').count() as u64;
                let Some(end) = end else { return Some(bytes.len()) };
                if *length == 0 {
                    *self = Self::Length(0);
                } else {
                    *length = 0;
                }
                Some(end + 1)
            }
        }
    }

    pub(super) const fn is_over(&self) -> bool {
        matches!(self, Self::Length(0))
    }
}

fn pass(left: &mut u64, bytes: &[u8]) -> usize {
    let passed = usize::try_from(*left).unwrap_or(usize::MAX).min(bytes.len());
    *left -= passed as u64;
    passed
}
