//! Decoy credentials: they look real and open nothing.

use std::{
    fs,
    os::unix::fs::{PermissionsExt as _, symlink},
    path::{Path, PathBuf},
};

use tempfile::TempDir;

/// The secret part of every decoy; it must never be found anywhere but in the decoys themselves.
pub const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYDECOYSECRET";

/// A home with decoys, removed when it is dropped, and a configuration that makes the sensor take it for a home.
pub struct Decoy {
    directory: TempDir,
}

impl Decoy {
    /// A home with an AWS credentials file.
    ///
    /// # Panics
    /// Where the file system refuses.
    #[must_use]
    pub fn new() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        // Other users' programs must be able to look inside, to be refused at the file.
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).expect("permissions");
        let decoy = Self { directory };
        decoy.write(
            ".aws/credentials",
            &format!(
                "[default]\naws_access_key_id = AKIAIOSFODNN7EXAMPLE\naws_secret_access_key = {SECRET}\n"
            ),
        );
        decoy
    }

    /// Where it is.
    #[must_use]
    pub fn home(&self) -> PathBuf {
        self.directory.path().join("home")
    }

    /// A path below the home.
    #[must_use]
    pub fn path(&self, below: &str) -> PathBuf {
        self.home().join(below)
    }

    /// A place beside the home, which no rule of the catalogue names.
    #[must_use]
    pub fn beside(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Writes a file below the home, with its directories, readable by its owner only.
    ///
    /// # Panics
    /// Where the file system refuses.
    pub fn write(&self, below: &str, content: &str) {
        let path = self.path(below);
        fs::create_dir_all(path.parent().expect("below the home")).expect("directories");
        fs::write(&path, content).expect("written");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("permissions");
    }

    /// Makes a symbolic link beside the home.
    ///
    /// # Panics
    /// Where the file system refuses.
    pub fn link(&self, name: &str, to: &Path) -> PathBuf {
        let link = self.beside(name);
        symlink(to, &link).expect("linked");
        link
    }

    /// A configuration for a sensor that watches this home, with more lines of TOML before its tables.
    ///
    /// # Panics
    /// Where the file system refuses.
    #[must_use]
    pub fn config(&self, top: &str, tables: &str) -> PathBuf {
        let path = self.beside("sensor.toml");
        let home = self.home();
        let text = format!(
            "{top}\n[catalogue]\nextra_homes = [{:?}]\nrescan_interval_ms = 200\n{tables}\n",
            home.display().to_string()
        );
        fs::write(&path, text).expect("written");
        path
    }
}

impl Default for Decoy {
    fn default() -> Self {
        Self::new()
    }
}
