//! A file system on a disk, for what those in memory do not do.

use std::{
    fs,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    process::Command,
};

/// A small file system in a file; what is mounted, and the device that holds the file, go with this.
#[derive(Debug)]
pub struct Disk {
    directory: tempfile::TempDir,
}

impl Disk {
    /// With ext4. Nothing where this machine cannot make or mount one, as of the others.
    #[must_use]
    pub fn ext4() -> Option<Self> {
        Self::made(4 << 20, &["mkfs.ext4", "-q", "-F"])
    }

    /// With XFS, whose smallest has 300 MB; the file has holes.
    #[must_use]
    pub fn xfs() -> Option<Self> {
        Self::made(300 << 20, &["mkfs.xfs", "-q"])
    }

    /// With btrfs.
    #[must_use]
    pub fn btrfs() -> Option<Self> {
        Self::made(128 << 20, &["mkfs.btrfs", "-q"])
    }

    /// With ext4, and what is in a directory already in it when it is made: such files have no generation.
    #[must_use]
    pub fn of_tree(tree: &Path) -> Option<Self> {
        Self::made(4 << 20, &["mkfs.ext4", "-q", "-F", "-d", tree.to_str()?])
    }

    /// The number of its device.
    #[must_use]
    pub fn device(&self) -> u64 {
        fs::metadata(self.path()).expect("it is mounted").dev()
    }

    fn made(bytes: u64, made_by: &[&str]) -> Option<Self> {
        let directory = tempfile::tempdir().expect("a directory");
        let image = directory.path().join("image");
        let file = fs::File::create(&image).expect("made");
        file.set_len(bytes).expect("a file of nothing");
        let disk = Self { directory };
        fs::create_dir(disk.path()).expect("made");
        let is_made = run(made_by, &[&image]);
        (is_made && run(&["mount", "-o", "loop"], &[&image, &disk.path()])).then_some(disk)
    }

    /// Where it is mounted.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        self.directory.path().join("mounted")
    }
}

/// Whether it ran and succeeded.
fn run(command: &[&str], paths: &[&Path]) -> bool {
    let ran = Command::new(command[0]).args(&command[1..]).args(paths).output();
    match ran {
        Ok(output) if output.status.success() => return true,
        Ok(output) => eprintln!(
            "not tested: {command:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        ),
        Err(error) => eprintln!("not tested: {command:?}: {error}"),
    }
    false
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _not_mounted = Command::new("umount").arg("-l").arg(self.path()).output();
    }
}
