//! The file in which it is remembered.

use std::{
    fs::{self, OpenOptions},
    io::{self, Read as _},
    path::{Path, PathBuf},
};

use super::{FILE_MAX, Remembered, RememberedError};
use crate::regular;

const NAME: &str = "known-by-history";
const NEW: &str = "known-by-history.new";
/// What could not be read; one that was set aside before makes room.
const ASIDE: &str = "known-by-history.unreadable";

/// The file in the state directory. Written anew as a whole, readable by its owner only.
#[derive(Clone, Debug)]
pub struct RememberedFile {
    path: PathBuf,
}

/// Why it cannot be read.
#[derive(Debug, thiserror::Error)]
pub(in crate::agent) enum ReadError {
    #[error(transparent)]
    Content(#[from] RememberedError),
    #[error("it cannot be read: {0}")]
    Io(#[from] io::Error),
}

impl RememberedFile {
    /// That of a state directory.
    #[must_use]
    pub fn in_state_dir(state_dir: &Path) -> Self {
        Self {
            path: state_dir.join(NAME),
        }
    }

    /// Where it is.
    pub(in crate::agent) fn path(&self) -> &Path {
        &self.path
    }

    /// What it says; nothing where there is none. One that cannot be read is set aside, with a warning: it keeps nobody from starting.
    pub(in crate::agent) fn read(&self) -> Option<Remembered> {
        let why = match self.content() {
            Ok(remembered) => return remembered,
            Err(why) => why,
        };
        let aside = self.path.with_file_name(ASIDE);
        let kept = fs::rename(&self.path, &aside);
        let (path, kept) = (
            self.path.display(),
            kept.map_or_else(
                |error| format!("it could not be set aside: {error}"),
                |()| format!("it is kept as {}", aside.display()),
            ),
        );
        tracing::warn!(
            %path,
            reason = %why,
            "what was known of copies of credentials, and of credentials that had left their places, is not believed; {kept}"
        );
        None
    }

    fn content(&self) -> Result<Option<Remembered>, ReadError> {
        let file = match regular::open(&self.path, OpenOptions::new().read(true)) {
            Err(why) if why.kind() == io::ErrorKind::NotFound => return Ok(None),
            file => file?,
        };
        let mut bytes = Vec::new();
        file.take(FILE_MAX as u64 + 1).read_to_end(&mut bytes)?;
        Ok(Some(Remembered::parse(&bytes)?))
    }

    /// Whether a file of this length is there.
    pub(in crate::agent) fn has(&self, length: usize) -> bool {
        let there = fs::symlink_metadata(&self.path);
        there.is_ok_and(|there| there.is_file() && there.len() == length as u64)
    }

    /// Writes it, whatever lies in its place.
    ///
    /// # Errors
    /// Those of the file system; what was there before is there still.
    pub(in crate::agent) fn write(&self, bytes: &[u8]) -> io::Result<()> {
        regular::replace_durably(&self.path, NEW, bytes)
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    #[test]
    fn it_is_written_for_its_owner_alone_and_read_again() {
        let directory = tempfile::tempdir().expect("a directory");
        let file = RememberedFile::in_state_dir(directory.path());
        assert_eq!(file.read(), None, "the first start");
        let mut wanted = Remembered {
            files: Vec::new(),
            left_out: 7,
        };
        let bytes = wanted.encode();
        assert!(!file.has(bytes.len()));
        file.write(&bytes).expect("written");
        assert!(file.has(bytes.len()) && !file.has(1));
        assert_eq!(file.read(), Some(wanted));
        let mode = fs::metadata(file.path()).expect("there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn what_cannot_be_read_is_set_aside() {
        let directory = tempfile::tempdir().expect("a directory");
        let file = RememberedFile::in_state_dir(directory.path());
        let aside = directory.path().join(ASIDE);
        for content in ["first", "second"] {
            fs::write(file.path(), content).expect("written");
            assert_eq!(file.read(), None);
            assert!(!file.path().exists());
            assert_eq!(fs::read_to_string(&aside).expect("kept"), content);
        }
        // Nor is what is no file.
        symlink("/dev/zero", file.path()).expect("made");
        assert_eq!(file.read(), None);
        assert!(fs::symlink_metadata(&aside).expect("kept").is_symlink());
        file.write(&Remembered::default().encode()).expect("written");
        assert_eq!(file.read(), Some(Remembered::default()));
    }
}
