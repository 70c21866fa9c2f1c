//! Where things are.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context as _;

/// The checkout and its target directory.
#[derive(Clone, Debug)]
pub(crate) struct Workspace {
    root: PathBuf,
    target: PathBuf,
}

impl Workspace {
    /// The checkout that this xtask was compiled in.
    pub(crate) fn find() -> Self {
        let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
        let root = manifest.parent().unwrap_or(manifest).to_owned();
        let target =
            env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), |target| root.join(target));
        Self { root, target }
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    pub(crate) fn target(&self) -> &Path {
        &self.target
    }

    /// A directory of xtask's own under the target directory, made when it is not there.
    pub(crate) fn scratch(&self, name: &str) -> anyhow::Result<PathBuf> {
        let path = self.target.join(name);
        fs::create_dir_all(&path).with_context(|| format!("creating {}", path.display()))?;
        Ok(path)
    }

    /// The cargo that runs this, in the root of the checkout.
    pub(crate) fn cargo(&self) -> Command {
        let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo.current_dir(&self.root);
        cargo
    }

    /// The same with the least priority there is: it takes only what tests that wait leave.
    pub(crate) fn cargo_at_leisure(&self) -> Command {
        let mut nice = Command::new("nice");
        nice.args(["-n", "19"]).arg(self.cargo().get_program());
        nice.current_dir(&self.root);
        nice
    }
}

/// The program's place in `PATH` or where `cargo install` puts it, if it is there.
pub(crate) fn find_program(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let cargo_home = env::var_os("CARGO_HOME")
        .map(PathBuf::from)
        .or_else(|| env::home_dir().map(|home| home.join(".cargo")));
    env::split_paths(&path)
        // A user's PATH often lacks them, and `su` without `-` leaves them out.
        .chain(["/usr/sbin", "/sbin"].map(PathBuf::from))
        .chain(cargo_home.map(|home| home.join("bin")))
        .map(|directory| directory.join(name))
        .find(|candidate| candidate.is_file())
}
