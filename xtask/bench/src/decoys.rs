//! Decoy credentials that look real and open nothing, and files that are nothing of the kind.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use tempfile::TempDir;

/// Files in one home.
const PER_HOME: usize = 500;
/// Over so many directories, lest one inode number's fate in a prefilter decide a result.
const UNRELATED_DIRECTORIES: usize = 8;
const UNRELATED: usize = 64;

/// A directory with homes full of decoys, removed when it is dropped.
#[derive(Debug)]
pub(crate) struct Decoys {
    directory: TempDir,
    homes: Vec<PathBuf>,
    credentials: Vec<PathBuf>,
    unrelated: Vec<PathBuf>,
}

impl Decoys {
    /// So many credentials, by 500 in homes of their own, each at `~/.aws/cli/cache/NNNN.json`.
    pub(crate) fn make(count: usize) -> anyhow::Result<Self> {
        let directory = tempfile::Builder::new()
            .prefix("claviger-bench-")
            .tempdir()
            .context("making a directory for decoys")?;
        let mut decoys = Self {
            directory,
            homes: Vec::new(),
            credentials: Vec::new(),
            unrelated: Vec::new(),
        };
        for number in 0..count {
            let (home, file) = (number / PER_HOME, number % PER_HOME);
            let home = decoys.directory.path().join(format!("home-{home:03}"));
            let cache = home.join(".aws/cli/cache");
            if file == 0 {
                make_directory(&cache)?;
                decoys.homes.push(home);
            }
            let path = cache.join(format!("{file:04}.json"));
            write(&path, &credential(number))?;
            decoys.credentials.push(path);
        }
        for number in 0..UNRELATED {
            let directory = decoys
                .directory
                .path()
                .join(format!("other-{}", number % UNRELATED_DIRECTORIES));
            make_directory(&directory)?;
            let path = directory.join(format!("{number:04}.txt"));
            write(&path, "nothing of interest\n")?;
            decoys.unrelated.push(path);
        }
        Ok(decoys)
    }

    /// Where the rest of a run's files may go.
    pub(crate) fn directory(&self) -> &Path {
        self.directory.path()
    }

    pub(crate) fn homes(&self) -> &[PathBuf] {
        &self.homes
    }

    pub(crate) fn credentials(&self) -> &[PathBuf] {
        &self.credentials
    }

    pub(crate) fn unrelated(&self) -> &[PathBuf] {
        &self.unrelated
    }

    /// Writes a list of files for a loop, one a line.
    pub(crate) fn list(&self, name: &str, paths: &[PathBuf]) -> anyhow::Result<PathBuf> {
        let text: Vec<_> = paths.iter().map(|path| path.display().to_string()).collect();
        let path = self.directory().join(name);
        write(&path, &text.join("\n"))?;
        Ok(path)
    }
}

fn credential(number: usize) -> String {
    format!(
        "{{\"Credentials\": {{\"AccessKeyId\": \"ASIADECOY{number:07}EXAM\", \"SecretAccessKey\": \"decoy/secret/of/claviger/bench\", \
         \"SessionToken\": \"decoy\", \"Expiration\": \"2030-01-01T00:00:00Z\"}}}}\n"
    )
}

fn make_directory(path: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(path).with_context(|| format!("creating {}", path.display()))
}

fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    fs::write(path, text).with_context(|| format!("writing {}", path.display()))?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o600))
        .with_context(|| format!("setting the mode of {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decoys_are_spread_over_homes_and_gone_at_the_end() {
        let decoys = Decoys::make(501).expect("made");
        assert_eq!((decoys.homes().len(), decoys.credentials().len()), (2, 501));
        let last = decoys.credentials()[500].clone();
        assert!(last.ends_with("home-001/.aws/cli/cache/0000.json") && last.exists());
        drop(decoys);
        assert!(!last.exists());
    }
}
