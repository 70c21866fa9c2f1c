//! Files of the sensor's own state, whatever somebody has put in their place: nothing is waited for (a FIFO), and no symbolic link is followed.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use rustix::fs::OFlags;
use rustix::io::Errno;

/// Flags with which no symbolic link is followed, and nothing is waited for that lies where a file should.
pub(crate) fn regular_only() -> i32 {
    (OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY)
        .bits()
        .cast_signed()
}

/// Opens a regular file; `options` say for what.
///
/// # Errors
/// [`io::ErrorKind::InvalidData`] where something else lies there.
pub(crate) fn open(path: &Path, options: &mut OpenOptions) -> io::Result<File> {
    let opened = options.custom_flags(regular_only()).open(path);
    let file = opened.map_err(|why| match Errno::from_io_error(&why) {
        Some(Errno::LOOP | Errno::ISDIR | Errno::NXIO) => irregular(),
        _ => why,
    })?;
    if file.metadata()?.is_file() {
        Ok(file)
    } else {
        Err(irregular())
    }
}

/// Puts a new file, readable by its owner only, in the place of what is there, of whatever kind that is but a directory. `beside` is the name under which
/// it comes into being, in the same directory.
pub(crate) fn replace(path: &Path, beside: &str, bytes: &[u8]) -> io::Result<()> {
    put(path, beside, bytes, |_| Ok(()))
}

/// The same, once its content is on the disk: after a power cut the file that is there is the one before or this one, whole.
pub(crate) fn replace_durably(path: &Path, beside: &str, bytes: &[u8]) -> io::Result<()> {
    put(path, beside, bytes, File::sync_data)
}

fn put(
    path: &Path,
    beside: &str,
    bytes: &[u8],
    finish: impl FnOnce(&File) -> io::Result<()>,
) -> io::Result<()> {
    let new = path.with_file_name(beside);
    match fs::remove_file(&new) {
        Err(why) if why.kind() != io::ErrorKind::NotFound => return Err(why),
        _ => {}
    }
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .custom_flags(regular_only())
        .open(&new)?;
    file.write_all(bytes)?;
    finish(&file)?;
    fs::rename(&new, path)
}

fn irregular() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "it is no regular file")
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{FileTypeExt as _, symlink};

    use rustix::fs::{CWD, FileType, Mode, mknodat};

    use super::*;

    fn fifo(path: &Path) {
        mknodat(CWD, path, FileType::Fifo, Mode::from_raw_mode(0o600), 0).expect("made");
    }

    #[test]
    fn only_a_regular_file_is_opened_and_nothing_is_waited_for() {
        let directory = tempfile::tempdir().expect("made");
        let at = |name: &str| directory.path().join(name);
        fs::write(at("file"), "").expect("written");
        symlink(at("file"), at("link")).expect("made");
        fs::create_dir(at("directory")).expect("made");
        fifo(&at("fifo"));
        open(&at("file"), OpenOptions::new().read(true)).expect("a file");
        for other in ["link", "directory", "fifo"] {
            let why = open(&at(other), OpenOptions::new().read(true)).expect_err(other);
            assert_eq!(why.kind(), io::ErrorKind::InvalidData, "{other}");
        }
        let why = open(&at("nothing"), OpenOptions::new().read(true)).expect_err("not there");
        assert_eq!(why.kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn what_lies_in_its_place_is_replaced_and_left_alone() {
        let directory = tempfile::tempdir().expect("made");
        let at = |name: &str| directory.path().join(name);
        fs::write(at("of another"), "content").expect("written");
        symlink(at("of another"), at("file")).expect("made");
        symlink(at("of another"), at("file.new")).expect("made");
        replace(&at("file"), "file.new", b"first").expect("written");
        assert_eq!(fs::read(at("of another")).expect("there"), b"content");
        assert_eq!(fs::read(at("file")).expect("there"), b"first");
        assert!(fs::symlink_metadata(at("file")).expect("there").is_file());

        fs::remove_file(at("file")).expect("there");
        for name in ["file", "file.new"] {
            fifo(&at(name));
            let kind = fs::symlink_metadata(at(name)).expect("there").file_type();
            assert!(kind.is_fifo());
        }
        replace_durably(&at("file"), "file.new", b"second").expect("written");
        assert_eq!(fs::read(at("file")).expect("there"), b"second");
        assert!(!at("file.new").exists());
    }
}
