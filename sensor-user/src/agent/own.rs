//! The sensor's own files: what of the host's is not for others to write, and not to be mounted over.

use std::path::{Path, PathBuf};

use crate::{config::Config, sign::Identity};

/// Directories of its own that are looked into, at most; a spool has few.
const DIRECTORIES_MAX: usize = 64;

/// The name of the self-test's file in the runtime directory.
const SELF_TEST: &str = "self-test";

/// Where they are. Paths are those of the sensor's own root, with symbolic links resolved.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Own {
    files: Vec<PathBuf>,
    directories: Vec<PathBuf>,
    /// Whether or not they are there yet.
    keys: Vec<PathBuf>,
    /// Whether or not it is there yet.
    self_test: Option<PathBuf>,
}

impl Own {
    /// Those of a service: its program, its configuration, its state and what ends with the boot. What is not there yet is left out.
    #[must_use]
    pub fn of_service(config_file: Option<&Path>, config: &Config) -> Self {
        let program = std::env::current_exe().ok();
        let files = [program.as_deref(), config_file];
        let directories = [
            &config.state_dir,
            &config.runtime_dir,
            &config.catalogue.directory,
        ];
        Self {
            files: files
                .into_iter()
                .flatten()
                .filter_map(|path| path.canonicalize().ok())
                .collect(),
            directories: directories
                .into_iter()
                .filter_map(|path| path.canonicalize().ok())
                .collect(),
            keys: config
                .state_dir
                .canonicalize()
                .map(|state| Identity::key_files(&state).to_vec())
                .unwrap_or_default(),
            self_test: config
                .runtime_dir
                .canonicalize()
                .ok()
                .map(|runtime| runtime.join(SELF_TEST)),
        }
    }

    /// The file that the self-test has a program of its own open, and whose reads by anybody are for that only.
    pub(super) fn self_test(&self) -> Option<&Path> {
        self.self_test.as_deref()
    }

    /// The files with its keys, which are not for others to read either.
    pub(super) fn keys(&self) -> &[PathBuf] {
        &self.keys
    }

    /// Its files that lie in directories of others.
    pub(super) fn files(&self) -> &[PathBuf] {
        &self.files
    }

    /// Its directories, with those in them that are there now.
    pub(super) fn directories(&self) -> Vec<PathBuf> {
        let mut all = self.directories.clone();
        let mut next = 0;
        while let Some(directory) = all.get(next).cloned()
            && all.len() < DIRECTORIES_MAX
        {
            next += 1;
            let entries = std::fs::read_dir(&directory).into_iter().flatten().flatten();
            let below = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
            all.extend(below.map(|entry| entry.path()));
        }
        all.truncate(DIRECTORIES_MAX);
        all
    }

    /// Which of them a path is, or lies in.
    pub(super) fn holds(&self, path: &Path) -> Option<&Path> {
        let is_file = self.files.iter().find(|file| file.as_path() == path);
        let is_below = || self.directories.iter().find(|own| path.starts_with(own));
        is_file.or_else(is_below).map(PathBuf::as_path)
    }

    /// Which of them a mount there hides from whoever comes by its path.
    pub(super) fn hidden_below(&self, path: &Path) -> Option<&Path> {
        let mut all = self.files.iter().chain(&self.directories);
        all.find(|own| own.starts_with(path)).map(PathBuf::as_path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own() -> Own {
        Own {
            files: vec!["/usr/bin/claviger-sensor".into()],
            directories: vec!["/var/lib/claviger/sensor".into()],
            ..Own::default()
        }
    }

    #[test]
    fn what_is_its_own_is_known_by_path() {
        let own = own();
        let state = Some(Path::new("/var/lib/claviger/sensor"));
        assert_eq!(own.holds(Path::new("/var/lib/claviger/sensor/spool/1")), state);
        assert_eq!(own.holds(Path::new("/var/lib/claviger/sensor")), state);
        assert!(own.holds(Path::new("/usr/bin/claviger-sensor")).is_some());
        for other in [
            "/usr/bin",
            "/var/lib/claviger/sensors",
            "/usr/bin/claviger-sensor2",
            "/",
        ] {
            assert_eq!(own.holds(Path::new(other)), None, "{other}");
        }
    }

    #[test]
    fn a_mount_above_hides_what_is_below() {
        let own = own();
        for above in ["/", "/var/lib", "/var/lib/claviger/sensor"] {
            assert!(own.hidden_below(Path::new(above)).is_some(), "{above}");
        }
        assert_eq!(
            own.hidden_below(Path::new("/var/lib/claviger/sensor/spool")),
            None
        );
        assert_eq!(own.hidden_below(Path::new("/var/lib/clav")), None);
    }

    #[test]
    fn directories_are_followed_down_and_bounded() {
        let top = tempfile::tempdir().expect("a directory");
        std::fs::create_dir_all(top.path().join("spool/old")).expect("made");
        std::fs::write(top.path().join("key"), "").expect("written");
        let own = Own {
            directories: vec![top.path().to_owned()],
            ..Own::default()
        };
        let found = own.directories();
        assert_eq!(found.len(), 3);
        assert!(found.contains(&top.path().join("spool/old")));
        for number in 0..DIRECTORIES_MAX {
            std::fs::create_dir(top.path().join(number.to_string())).expect("made");
        }
        assert_eq!(own.directories().len(), DIRECTORIES_MAX);
    }
}
