//! Opening a candidate without ever waiting for it, and without leaving the root it was found in.

use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::{FileType, Mode, OFlags, ResolveFlags, Statx};
use rustix::io::Errno;

use super::look::{Seen, device_of, look_at_held, type_of};

/// Why a candidate was not opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// Nothing is there any more.
    #[error("nothing is there")]
    Gone,
    /// A directory, a FIFO, a socket or a device.
    #[error("not a regular file")]
    NotRegular,
    /// Its file system does not answer.
    #[error("its file system does not answer")]
    Hangs,
    /// A step of opening it failed otherwise.
    #[error("cannot {step} it")]
    Failed {
        /// What failed: `look at` or `open`.
        step: &'static str,
        /// What the kernel said.
        #[source]
        source: Errno,
    },
}

impl OpenError {
    /// It could not be looked at.
    #[must_use]
    pub fn looking(source: Errno) -> Self {
        failed("look at", source)
    }

    /// The fixed word for events: why no identity is known.
    #[must_use]
    pub fn reason(self) -> &'static str {
        match self {
            Self::Gone => "gone before it was looked at",
            Self::NotRegular => "not a regular file",
            Self::Hangs => "its file system does not answer",
            Self::Failed { .. } => "could not be opened",
        }
    }
}

/// One version of one file, as stat(2) tells it apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Version {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, u32),
    changed: (i64, u32),
}

impl Version {
    fn of(look: &Statx) -> Self {
        Self {
            device: device_of(look),
            inode: look.stx_ino,
            size: look.stx_size,
            modified: (look.stx_mtime.tv_sec, look.stx_mtime.tv_nsec),
            changed: (look.stx_ctime.tv_sec, look.stx_ctime.tv_nsec),
        }
    }
}

/// A file that is held without being open: no driver, no FIFO and no hook notices. What is opened from here on is this file, whatever its
/// path means by then.
#[derive(Debug)]
pub struct Held {
    descriptor: OwnedFd,
    seen: Seen,
    version: Version,
    kind: FileType,
}

impl Held {
    /// Gets hold of what lies at `path` below `root`; symbolic links resolve within it.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn at(root: impl AsFd, path: &Path) -> Result<Self, OpenError> {
        let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
        let descriptor =
            rustix::fs::openat2(root, path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty(), resolve)
                .map_err(|source| failed("look at", source))?;
        Self::of(descriptor)
    }

    /// Of a descriptor that names what is held (O_PATH).
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn of(descriptor: OwnedFd) -> Result<Self, OpenError> {
        let look = look_at_held(&descriptor).map_err(|source| failed("look at", source))?;
        Ok(Self {
            descriptor,
            seen: Seen::of(&look),
            version: Version::of(&look),
            kind: type_of(&look),
        })
    }

    /// The same, as it is now.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn anew(&self) -> Result<Self, OpenError> {
        let descriptor = rustix::io::fcntl_dupfd_cloexec(&self.descriptor, 0);
        Self::of(descriptor.map_err(|source| failed("look at", source))?)
    }

    /// Which file it is.
    #[must_use]
    pub fn seen(&self) -> Seen {
        self.seen
    }

    /// Which version of it.
    #[must_use]
    pub fn version(&self) -> Version {
        self.version
    }

    /// How large it was when it was looked at, in bytes.
    #[must_use]
    pub fn size_bytes(&self) -> u64 {
        self.version.size
    }

    /// When its content had been changed last when it was looked at: seconds and nanoseconds of the Unix time.
    #[must_use]
    pub fn modified(&self) -> (i64, u32) {
        self.version.modified
    }

    /// The descriptor that holds it: for `/proc/self/fd`, for nothing can be read by it.
    #[must_use]
    pub fn descriptor(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }

    /// Opens it for reading. The access time stays as it is where the kernel allows that: it is evidence.
    ///
    /// # Errors
    /// [`OpenError`]; [`OpenError::NotRegular`] for all but a regular file.
    pub fn open_file(&self) -> Result<OwnedFd, OpenError> {
        if self.kind != FileType::RegularFile {
            return Err(OpenError::NotRegular);
        }
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        self.open(flags | OFlags::NOATIME)
            .or_else(|error| {
                if error == Errno::PERM {
                    self.open(flags)
                } else {
                    Err(error)
                }
            })
            .map_err(|source| failed("open", source))
    }

    /// Opens it as a directory.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn open_directory(&self) -> Result<OwnedFd, OpenError> {
        self.open(OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC)
            .map_err(|source| failed("open", source))
    }

    fn open(&self, flags: OFlags) -> Result<OwnedFd, Errno> {
        let again = format!("/proc/self/fd/{}", self.descriptor.as_raw_fd());
        rustix::fs::open(again, flags, Mode::empty())
    }
}

/// Opens a regular file below `root` for reading. `path` is as seen from that root.
///
/// # Errors
/// [`OpenError`].
pub fn open_candidate(root: impl AsFd, path: &Path) -> Result<OwnedFd, OpenError> {
    Held::at(root, path)?.open_file()
}

fn failed(step: &'static str, source: Errno) -> OpenError {
    match source {
        Errno::NOENT | Errno::NOTDIR => OpenError::Gone,
        _ => OpenError::Failed { step, source },
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};
    use std::os::unix::fs::symlink;

    use super::*;

    fn open(root: &Path, path: &str) -> Result<OwnedFd, OpenError> {
        open_candidate(File::open(root).expect("a root"), Path::new(path))
    }

    #[test]
    fn what_is_held_is_opened_whatever_takes_its_path() {
        let root = tempfile::tempdir().expect("a folder");
        let path = root.path().join("file");
        fs::write(&path, "first").expect("written");
        let held = Held::at(File::open(root.path()).expect("a root"), Path::new("file")).expect("held");
        fs::write(root.path().join("other"), "second").expect("written");
        fs::rename(root.path().join("other"), &path).expect("renamed");
        let opened = File::from(held.open_file().expect("opened"));
        assert_eq!(std::io::read_to_string(opened).expect("read"), "first");
        let now = Held::at(File::open(root.path()).expect("a root"), Path::new("file")).expect("held");
        assert_ne!(now.seen(), held.seen());
    }

    #[test]
    fn only_a_regular_file_is_opened() {
        let root = tempfile::tempdir().expect("a folder");
        let at = |name: &str| root.path().join(name);
        fs::write(at("file"), "x").expect("written");
        fs::create_dir(at("folder")).expect("made");
        rustix::fs::mknodat(rustix::fs::CWD, at("fifo"), FileType::Fifo, Mode::RUSR, 0).expect("made");
        let _socket = std::os::unix::net::UnixListener::bind(at("socket")).expect("bound");
        symlink("/file", at("absolute")).expect("linked");
        symlink("loop", at("loop")).expect("linked");
        assert!(open(root.path(), "/file").is_ok());
        assert!(
            open(root.path(), "/absolute").is_ok(),
            "an absolute link means the root that was given"
        );
        for name in ["/folder", "/fifo", "/socket", "/"] {
            assert_eq!(
                open(root.path(), name).map(drop),
                Err(OpenError::NotRegular),
                "{name}"
            );
        }
        for name in ["/nothing", "/file/below"] {
            assert_eq!(open(root.path(), name).map(drop), Err(OpenError::Gone), "{name}");
        }
        assert_eq!(
            open(root.path(), "/loop").map(drop).expect_err("a loop").reason(),
            "could not be opened"
        );
    }

    #[test]
    fn a_link_does_not_lead_out_of_the_root() {
        let root = tempfile::tempdir().expect("a folder");
        symlink("../../../../../../etc/passwd", root.path().join("out")).expect("linked");
        assert_eq!(open(root.path(), "/out").map(drop), Err(OpenError::Gone));
    }

    #[test]
    fn a_device_is_not_opened() {
        assert_eq!(
            open(Path::new("/"), "/dev/zero").map(drop),
            Err(OpenError::NotRegular)
        );
        assert!(
            open(Path::new("/"), "/proc/self/fd/0").is_err(),
            "magic links are not followed"
        );
    }
}
