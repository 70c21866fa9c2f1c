//! OpenSSH's server, for tests: unpacked below the target directory, for its package, installed, starts it on the host.

use std::fs;
use std::process::Command;

use anyhow::Context as _;

use super::install::update;
use crate::exit::{FAILED, Failure};
use crate::step;
use crate::workspace::{Workspace, find_program};

/// The server, and what it alone needs.
const PACKAGES: [&str; 2] = ["openssh-server", "libwrap0"];

/// Makes sure that there is one, on the machine or in `target/ssh-server`.
///
/// # Errors
/// Where it cannot be fetched.
pub(super) fn ensure(workspace: &Workspace, may_fetch: bool) -> anyhow::Result<bool> {
    let place = workspace.target().join("ssh-server");
    if find_program("sshd").is_some() || place.exists() {
        return Ok(false);
    }
    if !may_fetch {
        return Err(Failure::new(
            FAILED,
            "OpenSSH's server is missing, for tests: install openssh-server".to_owned(),
        )
        .into());
    }
    // Renamed last, so that what is there is whole.
    let unfinished = workspace.target().join("ssh-server.unfinished");
    if unfinished.exists() {
        fs::remove_dir_all(&unfinished).with_context(|| format!("removing {}", unfinished.display()))?;
    }
    fs::create_dir_all(&unfinished).with_context(|| format!("making {}", unfinished.display()))?;
    let (label, log) = ("fetching OpenSSH's server", "ssh-server-fetch");
    let fetch = || {
        let mut fetch = Command::new("apt-get");
        fetch.arg("download").args(PACKAGES).current_dir(&unfinished);
        fetch
    };
    // Lists that are out of date name files that the mirror no longer has.
    if !step::run(workspace, label, log, &mut fetch())?.status.success() {
        update(workspace)?;
        step::must(workspace, label, log, &mut fetch())?;
    }
    let files = fs::read_dir(&unfinished).with_context(|| format!("listing {}", unfinished.display()))?;
    for file in files {
        let file = file
            .with_context(|| format!("listing {}", unfinished.display()))?
            .path();
        let mut unpack = Command::new("dpkg");
        unpack.arg("-x").arg(&file).arg(&unfinished);
        step::must(
            workspace,
            "unpacking OpenSSH's server",
            "ssh-server-unpack",
            &mut unpack,
        )?;
    }
    fs::rename(&unfinished, &place).with_context(|| format!("making {}", place.display()))?;
    Ok(true)
}
