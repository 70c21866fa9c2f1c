//! The home directory that the examples in the README read from, for a host that has none.
//!
//! Made only where `/home/demo` does not exist at all. Removed at the end, and only what is as it was made. A run that was killed leaves
//! a note in its state directory, so that the next one removes it.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;

/// The keys that AWS prints in its own documentation. They open nothing.
const CREDENTIALS: &str = "\
[default]
aws_access_key_id = AKIAIOSFODNN7EXAMPLE
aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY
";

/// The home directory, for as long as this lives.
pub(super) struct DemoHome {
    home: PathBuf,
    note: PathBuf,
}

impl DemoHome {
    /// Makes it where it is not there. `note` remembers that it is ours.
    pub(super) fn prepare(home: &Path, note: &Path) -> anyhow::Result<Option<Self>> {
        let demo = Self {
            home: home.to_owned(),
            note: note.to_owned(),
        };
        if fs::symlink_metadata(home).is_ok() {
            return Ok(note.is_file().then_some(demo));
        }
        fs::write(note, b"").with_context(|| format!("writing {}", note.display()))?;
        demo.make()
            .with_context(|| format!("making {}", home.display()))?;
        eprintln!(
            "made {} with the example keys of AWS's documentation, for this run",
            demo.credentials().display()
        );
        Ok(Some(demo))
    }

    fn directory(&self) -> PathBuf {
        self.home.join(".aws")
    }

    fn credentials(&self) -> PathBuf {
        self.directory().join("credentials")
    }

    fn make(&self) -> io::Result<()> {
        DirBuilder::new().mode(0o755).create(&self.home)?;
        DirBuilder::new().mode(0o755).create(self.directory())?;
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(self.credentials())?;
        file.write_all(CREDENTIALS.as_bytes())
    }

    fn remove(&self) -> io::Result<()> {
        match fs::read(self.credentials()) {
            Ok(content) if content == CREDENTIALS.as_bytes() => fs::remove_file(self.credentials())?,
            Ok(_) => return Err(io::Error::other("it was changed, so it stays")),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        // Each of them only when nothing else has come into it, and gone already is as good.
        for directory in [&self.directory(), &self.home] {
            fs::remove_dir(directory).or_else(|error| {
                if error.kind() == io::ErrorKind::NotFound {
                    Ok(())
                } else {
                    Err(error)
                }
            })?;
        }
        fs::remove_file(&self.note)
    }
}

impl Drop for DemoHome {
    fn drop(&mut self) {
        match self.remove() {
            Ok(()) => eprintln!("removed {}", self.home.display()),
            Err(error) => eprintln!("warning: removing {}: {error}", self.home.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Place(PathBuf);

    impl Place {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("xtask-demo-{name}-{}", std::process::id()));
            fs::create_dir(&path).expect("made");
            Self(path)
        }

        fn prepare(&self) -> Option<DemoHome> {
            DemoHome::prepare(&self.0.join("demo"), &self.0.join("note")).expect("prepares")
        }
    }

    impl Drop for Place {
        fn drop(&mut self) {
            fs::remove_dir_all(&self.0).expect("removed");
        }
    }

    #[test]
    fn what_was_made_is_removed() {
        let place = Place::new("made");
        let demo = place.prepare();
        assert!(place.0.join("demo/.aws/credentials").is_file());
        drop(demo);
        assert_eq!(fs::read_dir(&place.0).expect("listed").count(), 0);
    }

    #[test]
    fn a_home_that_was_there_is_not_touched() {
        let place = Place::new("there");
        fs::create_dir(place.0.join("demo")).expect("made");
        assert!(place.prepare().is_none());
        assert!(!place.0.join("demo/.aws").exists());
    }

    #[test]
    fn what_was_changed_stays() {
        let place = Place::new("changed");
        let demo = place.prepare();
        fs::write(place.0.join("demo/.aws/credentials"), "mine").expect("written");
        drop(demo);
        assert_eq!(
            fs::read_to_string(place.0.join("demo/.aws/credentials")).expect("read"),
            "mine"
        );
    }

    #[test]
    fn what_another_put_there_stays() {
        let place = Place::new("other");
        let demo = place.prepare();
        fs::write(place.0.join("demo/mine"), "").expect("written");
        drop(demo);
        assert!(place.0.join("demo/mine").is_file());
    }

    #[test]
    fn what_is_gone_already_is_no_trouble() {
        let place = Place::new("gone");
        let demo = place.prepare().expect("made");
        fs::remove_dir_all(place.0.join("demo")).expect("removed");
        demo.remove().expect("nothing left to do");
        std::mem::forget(demo);
        assert!(!place.0.join("note").exists());
    }

    #[test]
    fn a_killed_runs_home_is_removed_by_the_next() {
        let place = Place::new("killed");
        std::mem::forget(place.prepare());
        drop(place.prepare());
        assert!(!place.0.join("demo").exists());
    }
}
