//! A private directory for this run's sockets, under /run because a socket's path is at most 107 bytes long.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

const PARENT: &str = "/run";
const PREFIX: &str = "claviger-up-";

/// `/run/claviger-up-PID/`, open to nobody else, removed at the end.
pub(super) struct RunDirectory {
    path: PathBuf,
}

impl RunDirectory {
    pub(super) fn make() -> anyhow::Result<Self> {
        remove_left_behind(Path::new(PARENT)).with_context(|| format!("clearing {PARENT}"))?;
        let path = Path::new(PARENT).join(format!("{PREFIX}{}", std::process::id()));
        DirBuilder::new()
            .mode(0o700)
            .create(&path)
            .with_context(|| format!("creating {}", path.display()))?;
        Ok(Self { path })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for RunDirectory {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.path) {
            eprintln!("warning: removing {}: {error}", self.path.display());
        }
    }
}

/// Those of processes that are gone, killed; and one of this pid, whose process is gone too.
fn remove_left_behind(parent: &Path) -> io::Result<()> {
    for entry in fs::read_dir(parent)? {
        let entry = entry?;
        let name = entry.file_name();
        let Some(pid) = name
            .to_str()
            .and_then(|name| name.strip_prefix(PREFIX)?.parse::<u32>().ok())
        else {
            continue;
        };
        if pid == std::process::id() || !Path::new(&format!("/proc/{pid}")).is_dir() {
            fs::remove_dir_all(entry.path())?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_dead_processes_left_is_removed() {
        let parent = std::env::temp_dir().join(format!("xtask-rundir-{}", std::process::id()));
        // No pid is that large.
        let (dead, alive, other) = ("claviger-up-4294967295", "claviger-up-1", "claviger-up-x");
        for name in [dead, alive, other] {
            fs::create_dir_all(parent.join(name).join("inside")).expect("made");
        }
        remove_left_behind(&parent).expect("clears");
        assert!(!parent.join(dead).exists());
        assert!(parent.join(alive).exists() && parent.join(other).exists());
        fs::remove_dir_all(&parent).expect("removed");
    }
}
