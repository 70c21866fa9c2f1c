//! Reading an opened candidate: bounded, never waiting, and wiped from memory afterwards.

use std::os::fd::AsFd;

use rustix::fs::FileType;
use rustix::io::Errno;
use zeroize::Zeroizing;

use super::MAX_CONTENT_BYTES;

/// Why the content was not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// A directory, a FIFO, a socket or a device.
    #[error("not a regular file")]
    NotRegular,
    /// Bigger than any credential.
    #[error("too large")]
    TooLarge,
    /// It grew under the reader's eyes.
    #[error("it changed while it was read")]
    Changing,
    /// Reading failed.
    #[error("cannot read it")]
    Failed(#[source] Errno),
}

impl ReadError {
    /// The fixed word for events: why no identity is known.
    #[must_use]
    pub fn reason(self) -> &'static str {
        match self {
            Self::NotRegular => "not a regular file",
            Self::TooLarge => "too large",
            Self::Changing => "changed while it was read",
            Self::Failed(_) => "could not be read",
        }
    }
}

/// Reads a whole file from its beginning, [`MAX_CONTENT_BYTES`] at most. The position of the descriptor does not matter and stays.
///
/// The content is in one place only, allocated once, and is overwritten when it is dropped.
pub fn read_public(file: impl AsFd) -> Result<Zeroizing<Vec<u8>>, ReadError> {
    let stat = rustix::fs::fstat(&file).map_err(ReadError::Failed)?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
        return Err(ReadError::NotRegular);
    }
    let size = usize::try_from(stat.st_size).unwrap_or(usize::MAX);
    if size > MAX_CONTENT_BYTES {
        return Err(ReadError::TooLarge);
    }
    // Some file systems say 0 for files that are not empty; the byte more than said is how growth is noticed.
    let mut content = Zeroizing::new(vec![0; size.max(4095) + 1]);
    let mut filled = 0;
    while filled < content.len() {
        match rustix::io::pread(&file, &mut content[filled..], filled as u64) {
            Ok(0) => {
                content.truncate(filled);
                return Ok(content);
            }
            Ok(read) => filled += read,
            Err(Errno::INTR) => {}
            Err(error) => return Err(ReadError::Failed(error)),
        }
    }
    Err(if filled > MAX_CONTENT_BYTES {
        ReadError::TooLarge
    } else {
        ReadError::Changing
    })
}

/// The first bytes of a file, 64 at most.
///
/// # Errors
/// What the kernel said.
pub(super) fn read_beginning(file: impl AsFd) -> Result<Zeroizing<Vec<u8>>, Errno> {
    let mut content = Zeroizing::new(vec![0; 64]);
    let read = rustix::io::pread(&file, &mut content[..], 0)?;
    content.truncate(read);
    Ok(content)
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};

    use super::*;

    #[test]
    fn a_file_is_read_up_to_the_bound() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("file");
        for (size, expected) in [
            (0, Ok(0)),
            (1, Ok(1)),
            (4095, Ok(4095)),
            (4096, Ok(4096)),
            (MAX_CONTENT_BYTES, Ok(MAX_CONTENT_BYTES)),
            (MAX_CONTENT_BYTES + 1, Err(ReadError::TooLarge)),
        ] {
            fs::write(&path, vec![b'x'; size]).expect("written");
            let read = read_public(File::open(&path).expect("opened"));
            assert_eq!(read.map(|content| content.len()), expected, "{size}");
        }
    }

    #[test]
    fn a_huge_sparse_file_is_refused_unread() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("file");
        let file = File::create(&path).expect("made");
        file.set_len(1 << 30).expect("a gigabyte of nothing");
        assert_eq!(
            read_public(File::open(&path).expect("opened")),
            Err(ReadError::TooLarge)
        );
    }

    #[test]
    fn what_is_no_regular_file_is_refused() {
        assert_eq!(
            read_public(File::open("/").expect("opened")),
            Err(ReadError::NotRegular)
        );
        assert_eq!(
            read_public(File::open("/dev/null").expect("opened")),
            Err(ReadError::NotRegular)
        );
        assert!(
            read_public(File::open("/proc/self/status").expect("opened")).is_ok(),
            "its size is given as 0"
        );
    }
}
