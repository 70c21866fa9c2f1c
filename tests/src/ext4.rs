//! A file system on a disk, for what those in memory do not do.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// A small ext4 in a file; what is mounted, and the device that holds the file, go with this.
#[derive(Debug)]
pub struct Ext4 {
    directory: tempfile::TempDir,
}

impl Ext4 {
    /// Nothing where this machine cannot make or mount one.
    ///
    /// # Panics
    /// Where the file system refuses.
    #[must_use]
    pub fn new() -> Option<Self> {
        let directory = tempfile::tempdir().expect("a directory");
        let image = directory.path().join("image");
        let file = fs::File::create(&image).expect("made");
        file.set_len(4 << 20).expect("a file of nothing");
        let ext4 = Self { directory };
        fs::create_dir(ext4.path()).expect("made");
        let run = |program: &str, arguments: &[&str], paths: &[&Path]| {
            let ran = Command::new(program).args(arguments).args(paths).output();
            let said = |output: std::process::Output| [output.stdout, output.stderr].concat();
            let why = ran.map_or_else(
                |error| error.to_string(),
                |output| String::from_utf8_lossy(&said(output)).into_owned(),
            );
            if !why.is_empty() {
                eprintln!("not tested: {program}: {why}");
            }
            why.is_empty()
        };
        let made = run("mkfs.ext4", &["-q", "-F"], &[&image]);
        (made && run("mount", &["-o", "loop"], &[&image, &ext4.path()])).then_some(ext4)
    }

    /// Where it is mounted.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        self.directory.path().join("mounted")
    }
}

impl Drop for Ext4 {
    fn drop(&mut self) {
        let _not_mounted = Command::new("umount").arg("-l").arg(self.path()).output();
    }
}
