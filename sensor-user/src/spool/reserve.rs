//! Room for the ledger on a full disk: a file that is there to be removed.
//!
//! What is lost to a full disk, and what the detector has acknowledged, must be written down just then. Without this it could not be,
//! and nothing could be deleted either.

use std::path::Path;

use super::{FileSystem, SpoolFile as _};

const NAME: &str = "reserve";

/// More than a ledger takes unless hundreds of separate losses are waiting to be told.
const BYTES: u64 = 64 << 10;
/// It grows by this much, so that on a disk that is nearly full there is at least some of it.
const STEP: usize = 4 << 10;

/// The file, and how much room it holds.
#[derive(Debug, Default)]
pub(super) struct Reserve {
    bytes: u64,
}

impl Reserve {
    /// Makes the file, as large as there is room for.
    pub(super) fn make<F: FileSystem>(fs: &F, dir: &Path) -> Self {
        let mut reserve = Self::default();
        reserve.restore(fs, dir);
        reserve
    }

    /// Gives the room up; false where there was none.
    pub(super) fn release<F: FileSystem>(&mut self, fs: &F, dir: &Path) -> bool {
        std::mem::take(&mut self.bytes) > 0 && fs.remove(&dir.join(NAME)).is_ok()
    }

    /// Takes the room again, as much as there is.
    pub(super) fn restore<F: FileSystem>(&mut self, fs: &F, dir: &Path) {
        if self.bytes >= BYTES {
            return;
        }
        let path = dir.join(NAME);
        let file = if self.bytes == 0 {
            fs.create(&path)
        } else {
            fs.open(&path)
        };
        let Ok(mut file) = file else { return };
        while self.bytes < BYTES && file.write_all_at(&[0; STEP], self.bytes).is_ok() {
            self.bytes += STEP as u64;
        }
        // A file system may find out only now that there is no room.
        if self.bytes == 0 || file.sync().is_err() {
            self.bytes = 0;
            let _ = fs.remove(&path);
        }
    }
}
