//! auditd and bpftrace: those of this host, else Debian's packages, fetched and unpacked under the target directory. Nothing is installed, so
//! no daemon is started and none stays.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context as _;

use crate::setup;
use crate::step;
use crate::workspace::{Workspace, find_program};

const PACKAGES: [&str; 2] = ["auditd", "bpftrace"];
const PROGRAMS: [(&str, &[&str]); 3] = [
    ("auditd", &["sbin", "usr/sbin"]),
    ("auditctl", &["sbin", "usr/sbin"]),
    ("bpftrace", &["usr/bin"]),
];
const LIBRARIES: [&str; 2] = ["usr/lib/x86_64-linux-gnu", "lib/x86_64-linux-gnu"];

/// Names the programs to the command that measures. Without them it measures the rest; what is missing is told.
pub(super) fn hand_over(workspace: &Workspace, command: &mut Command) -> anyhow::Result<()> {
    let root = workspace.scratch("xtask/bench/peers")?;
    if PROGRAMS.iter().any(|(name, _)| find(name, &root).is_none())
        && let Err(error) = fetch(workspace, &root)
    {
        eprintln!("warning: {error:#}");
    }
    for (name, _) in PROGRAMS {
        match find(name, &root) {
            Some(path) => {
                command.arg(format!("--{name}")).arg(path);
            }
            None => eprintln!("warning: nothing is compared with {name}, which is not to be had here"),
        }
    }
    command.arg("--libraries").arg(libraries(&root)?);
    Ok(())
}

fn find(name: &str, root: &Path) -> Option<PathBuf> {
    find_program(name).or_else(|| {
        let (_, places) = PROGRAMS.iter().find(|(known, _)| *known == name)?;
        places
            .iter()
            .map(|place| root.join(place).join(name))
            .find(|path| path.is_file())
    })
}

fn libraries(root: &Path) -> anyhow::Result<OsString> {
    env::join_paths(LIBRARIES.map(|place| root.join(place))).context("a colon in the target directory's path")
}

/// The packages and what this host lacks of what they depend on.
fn fetch(workspace: &Workspace, root: &Path) -> anyhow::Result<()> {
    let cache = workspace.scratch("xtask/bench/packages")?;
    let partial = cache.join("partial");
    fs::create_dir_all(&partial).with_context(|| format!("creating {}", partial.display()))?;
    let download = || {
        let mut apt = Command::new("apt-get");
        apt.args(["-q", "--yes", "--download-only", "--no-install-recommends"])
            // apt would drop to a user who may not write here.
            .args(["-o", "APT::Sandbox::User=root"])
            .arg("-o")
            .arg(format!("Dir::Cache::archives={}", cache.display()))
            .arg("install")
            .args(PACKAGES);
        apt
    };
    let label = "fetching auditd and bpftrace to compare with (not installing them)";
    if !step::run(workspace, label, "bench-peers", &mut download())?
        .status
        .success()
    {
        setup::update(workspace)?;
        step::must(workspace, label, "bench-peers", &mut download())?;
    }
    for entry in fs::read_dir(&cache).with_context(|| format!("reading {}", cache.display()))? {
        let path = entry
            .with_context(|| format!("reading {}", cache.display()))?
            .path();
        if path.extension().is_some_and(|extension| extension == "deb") {
            let mut unpack = Command::new("dpkg");
            unpack.arg("-x").arg(&path).arg(root);
            let label = format!("unpacking {}", path.file_name().unwrap_or_default().display());
            step::must(workspace, &label, "bench-unpack", &mut unpack)?;
        }
    }
    Ok(())
}
