//! What the log writes to, as a parameter, so that tests can fill it up and pull the plug.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use crate::regular;

/// Opens segments for appending.
pub trait Medium: fmt::Debug + Send {
    /// Opens a segment, making it where it is not there yet.
    fn open(&self, path: &Path) -> io::Result<Box<dyn SegmentFile>>;
}

/// A segment that is appended to.
pub trait SegmentFile: fmt::Debug + Send {
    /// Appends all of `bytes`. After an error any part of them may be there.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()>;
    /// Makes everything appended durable.
    fn sync(&mut self) -> io::Result<()>;
    /// Cuts it to `length` bytes.
    fn truncate(&mut self, length: u64) -> io::Result<()>;
}

/// The file system.
#[derive(Clone, Copy, Debug, Default)]
pub struct OsMedium;

impl Medium for OsMedium {
    fn open(&self, path: &Path) -> io::Result<Box<dyn SegmentFile>> {
        let mut options = OpenOptions::new();
        options.append(true).create(true).mode(0o600);
        let file = regular::open(path, &options)?;
        if let Some(parent) = path.parent() {
            File::open(parent)?.sync_all()?;
        }
        Ok(Box::new(file))
    }
}

impl SegmentFile for File {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.write_all(bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.sync_data()
    }

    fn truncate(&mut self, length: u64) -> io::Result<()> {
        self.set_len(length)
    }
}

#[cfg(test)]
pub(crate) mod testing {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    /// A real directory on a disk with room for so many bytes.
    #[derive(Clone, Debug)]
    pub(crate) struct SmallDisk(pub(crate) Arc<AtomicU64>);

    impl SmallDisk {
        pub(crate) fn with_room_for(bytes: u64) -> Self {
            Self(Arc::new(AtomicU64::new(bytes)))
        }
    }

    #[derive(Debug)]
    struct SmallFile(Box<dyn SegmentFile>, SmallDisk);

    impl Medium for SmallDisk {
        fn open(&self, path: &Path) -> io::Result<Box<dyn SegmentFile>> {
            Ok(Box::new(SmallFile(OsMedium.open(path)?, self.clone())))
        }
    }

    impl SegmentFile for SmallFile {
        fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
            let room = self.1.0.load(Ordering::SeqCst);
            let fits = bytes.len().min(usize::try_from(room).unwrap_or(usize::MAX));
            self.0.append(&bytes[..fits])?;
            self.1.0.store(room - fits as u64, Ordering::SeqCst);
            if fits < bytes.len() {
                Err(io::ErrorKind::StorageFull.into())
            } else {
                Ok(())
            }
        }

        fn sync(&mut self) -> io::Result<()> {
            self.0.sync()
        }

        fn truncate(&mut self, length: u64) -> io::Result<()> {
            self.0.truncate(length)
        }
    }
}
