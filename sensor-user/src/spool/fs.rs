//! What the spool needs of a file system, as a parameter: tests bring one that loses what was not synced.

use std::fmt::Debug;
use std::io;
use std::path::Path;

/// A file system.
pub trait FileSystem: Debug + Send + Sync + 'static {
    /// An open file.
    type File: SpoolFile;
    /// Holds a lock until it is dropped.
    type Lock: Debug + Send + Sync;

    /// Makes a directory that only its owner may enter, and those above it; fine where it is there.
    ///
    /// # Errors
    /// Those of the system.
    fn create_dir_all(&self, dir: &Path) -> io::Result<()>;

    /// Locks a file, made where it is not there; nothing where another process has it locked.
    ///
    /// # Errors
    /// Those of the system.
    fn lock(&self, path: &Path) -> io::Result<Option<Self::Lock>>;

    /// The names in a directory, in no order; those that are not UTF-8 are none of the spool's and left out.
    ///
    /// # Errors
    /// Those of the system.
    fn list(&self, dir: &Path) -> io::Result<Vec<String>>;

    /// Opens a regular file for reading and writing.
    ///
    /// # Errors
    /// Those of the system; of kind `InvalidData` where it is a symbolic link, which is never followed, or no regular file.
    fn open(&self, path: &Path) -> io::Result<Self::File>;

    /// Makes an empty file for reading and writing that only its owner may open, instead of one that may be there.
    ///
    /// # Errors
    /// Those of the system.
    fn create(&self, path: &Path) -> io::Result<Self::File>;

    /// Whether an open file is what lies under a name.
    ///
    /// # Errors
    /// Those of the system.
    fn is_at(&self, file: &Self::File, path: &Path) -> io::Result<bool>;

    /// Renames, replacing.
    ///
    /// # Errors
    /// Those of the system.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Removes a file.
    ///
    /// # Errors
    /// Those of the system.
    fn remove(&self, path: &Path) -> io::Result<()>;

    /// Brings names made, renamed or removed in a directory to the disk.
    ///
    /// # Errors
    /// Those of the system.
    fn sync_dir(&self, dir: &Path) -> io::Result<()>;
}

/// An open file.
pub trait SpoolFile: Debug + Send {
    /// Its length in bytes.
    ///
    /// # Errors
    /// Those of the system.
    fn length(&self) -> io::Result<u64>;

    /// Reads at an offset until the buffer is full or the file ends; gives the number of bytes read.
    ///
    /// # Errors
    /// Those of the system.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize>;

    /// Writes all bytes at an offset; on an error some of them may be there.
    ///
    /// # Errors
    /// Those of the system.
    fn write_all_at(&mut self, bytes: &[u8], offset: u64) -> io::Result<()>;

    /// Cuts the file off, or lengthens it with zeros.
    ///
    /// # Errors
    /// Those of the system.
    fn set_length(&mut self, length: u64) -> io::Result<()>;

    /// Brings content and length to the disk.
    ///
    /// # Errors
    /// Those of the system.
    fn sync(&mut self) -> io::Result<()>;
}
