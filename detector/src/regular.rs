//! Opens regular files and nothing else: to open a FIFO can wait for ever, and to read a device has no end.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use rustix::fs::OFlags;

/// Opens a file with those options without waiting for anybody; an error where it is no regular file.
pub fn open(path: &Path, options: &OpenOptions) -> io::Result<File> {
    let mut options = options.clone();
    options.custom_flags((OFlags::NONBLOCK | OFlags::NOCTTY).bits().cast_signed());
    let file = options.open(path).map_err(|error| {
        // A FIFO or socket without another end.
        let other = error.raw_os_error() == Some(rustix::io::Errno::NXIO.raw_os_error());
        if other { irregular() } else { error }
    })?;
    if file.metadata()?.is_file() {
        Ok(file)
    } else {
        Err(irregular())
    }
}

/// Looks without opening; an error where it is no regular file.
pub fn check(path: &Path) -> io::Result<()> {
    if fs::metadata(path)?.is_file() {
        Ok(())
    } else {
        Err(irregular())
    }
}

/// Reads all of a file; an error where it has more than `most` bytes.
pub fn read(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let file = open(path, OpenOptions::new().read(true))?;
    let mut contents = Vec::new();
    file.take(most.saturating_add(1)).read_to_end(&mut contents)?;
    if u64::try_from(contents.len()).unwrap_or(u64::MAX) > most {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            format!("it has more than {most} bytes; give a smaller one"),
        ));
    }
    Ok(contents)
}

fn irregular() -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidInput,
        "it is no regular file; put a regular file in its place",
    )
}

#[cfg(test)]
mod tests {
    use rustix::fs::{CWD, Mode, mkfifoat};

    use super::*;

    fn refused(path: &Path, options: &OpenOptions) {
        let error = open(path, options).expect_err("is refused");
        assert!(error.to_string().contains("no regular file"), "{error}");
    }

    #[test]
    fn what_is_no_regular_file_is_refused_at_once() {
        let root = tempfile::tempdir().expect("a directory");
        let fifo = root.path().join("fifo");
        mkfifoat(CWD, &fifo, Mode::RUSR | Mode::WUSR).expect("makes");
        refused(&fifo, OpenOptions::new().read(true));
        refused(&fifo, OpenOptions::new().append(true));
        refused(&fifo, OpenOptions::new().read(true).write(true));
        refused(Path::new("/dev/zero"), OpenOptions::new().read(true));
        refused(root.path(), OpenOptions::new().read(true));
    }

    #[test]
    fn a_file_is_read_up_to_its_bound() {
        let root = tempfile::tempdir().expect("a directory");
        let path = root.path().join("file");
        std::fs::write(&path, [7; 10]).expect("writes");
        assert_eq!(read(&path, 10).expect("reads"), [7; 10]);
        assert!(
            read(&path, 9)
                .expect_err("is refused")
                .to_string()
                .contains("more than 9 bytes")
        );
    }
}
