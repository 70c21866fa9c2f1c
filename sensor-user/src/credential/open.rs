//! Opening a candidate without ever waiting for it, and without leaving the root it was found in.

use std::os::fd::{AsFd, AsRawFd as _, OwnedFd};
use std::path::Path;

use rustix::fs::{FileType, Mode, OFlags, ResolveFlags};
use rustix::io::Errno;

/// Why a candidate was not opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// Nothing is there any more.
    #[error("nothing is there")]
    Gone,
    /// A directory, a FIFO, a socket or a device.
    #[error("not a regular file")]
    NotRegular,
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
    /// The fixed word for events: why no identity is known.
    #[must_use]
    pub fn reason(self) -> &'static str {
        match self {
            Self::Gone => "gone before it was looked at",
            Self::NotRegular => "not a regular file",
            Self::Failed { .. } => "could not be opened",
        }
    }
}

/// Opens a regular file below `root` for reading. `path` is as seen from that root, symbolic links in it resolve within it.
///
/// The file is first got hold of without opening it (`O_PATH`: no driver and no FIFO notices) and opened only when it is known to be a
/// regular file; the second step goes through the descriptor, so nobody can change what the path means in between. The access
/// time stays as it is where the kernel allows that: it is evidence.
pub fn open_candidate(root: impl AsFd, path: &Path) -> Result<OwnedFd, OpenError> {
    let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
    let held = rustix::fs::openat2(root, path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty(), resolve)
        .map_err(|source| failed("look at", source))?;
    let stat = rustix::fs::fstat(&held).map_err(|source| failed("look at", source))?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
        return Err(OpenError::NotRegular);
    }
    let again = format!("/proc/self/fd/{}", held.as_raw_fd());
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    rustix::fs::open(&again, flags | OFlags::NOATIME, Mode::empty())
        .or_else(|error| {
            if error == Errno::PERM {
                rustix::fs::open(&again, flags, Mode::empty())
            } else {
                Err(error)
            }
        })
        .map_err(|source| failed("open", source))
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
