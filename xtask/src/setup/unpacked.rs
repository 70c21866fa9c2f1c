//! Programs that tests run, unpacked below the target directory: their packages, installed, start services on the host.

use std::fs;
use std::process::Command;

use anyhow::Context as _;

use super::install::update;
use crate::exit::{FAILED, Failure};
use crate::step;
use crate::workspace::{Workspace, find_program};

struct Unpacked {
    /// In `target/`, and in names of logs.
    name: &'static str,
    what: &'static str,
    program: &'static str,
    /// Its own, and what it alone needs.
    packages: &'static [&'static str],
}

const ALL: [Unpacked; 2] = [
    Unpacked {
        name: "ssh-server",
        what: "OpenSSH's server",
        program: "sshd",
        packages: &["openssh-server", "libwrap0"],
    },
    // Its client alone is run, which asks no server of Docker's for what the tests have it do. Debian 13 has it in a package of its own, `docker-cli`.
    Unpacked {
        name: "docker",
        what: "Docker's client",
        program: "docker",
        packages: &["docker.io"],
    },
];

/// Makes sure that there is each, on the machine or in `target/NAME`. Whether one was fetched.
///
/// # Errors
/// Where it cannot be fetched.
pub(super) fn ensure(workspace: &Workspace, may_fetch: bool) -> anyhow::Result<bool> {
    let mut is_any_new = false;
    for one in &ALL {
        is_any_new |= one.ensure(workspace, may_fetch)?;
    }
    Ok(is_any_new)
}

impl Unpacked {
    fn ensure(&self, workspace: &Workspace, may_fetch: bool) -> anyhow::Result<bool> {
        let Self {
            name,
            what,
            program,
            packages,
        } = self;
        let place = workspace.target().join(name);
        if find_program(program).is_some() || place.exists() {
            return Ok(false);
        }
        if !may_fetch {
            let package = packages[0];
            let text = format!("{what} is missing, for tests: install {package}");
            return Err(Failure::new(FAILED, text).into());
        }
        // Renamed last, so that what is there is whole.
        let unfinished = workspace.target().join(format!("{name}.unfinished"));
        if unfinished.exists() {
            fs::remove_dir_all(&unfinished).with_context(|| format!("removing {}", unfinished.display()))?;
        }
        fs::create_dir_all(&unfinished).with_context(|| format!("making {}", unfinished.display()))?;
        let (label, log) = (format!("fetching {what}"), format!("{name}-fetch"));
        let fetch = || {
            let mut fetch = Command::new("apt-get");
            fetch.arg("download").args(*packages).current_dir(&unfinished);
            fetch
        };
        // Lists that are out of date name files that the mirror no longer has.
        if !step::run(workspace, &label, &log, &mut fetch())?.status.success() {
            update(workspace)?;
            step::must(workspace, &label, &log, &mut fetch())?;
        }
        let files = fs::read_dir(&unfinished).with_context(|| format!("listing {}", unfinished.display()))?;
        for file in files {
            let file = file
                .with_context(|| format!("listing {}", unfinished.display()))?
                .path();
            let mut unpack = Command::new("dpkg");
            unpack.arg("-x").arg(&file).arg(&unfinished);
            let label = format!("unpacking {what}");
            step::must(workspace, &label, &format!("{name}-unpack"), &mut unpack)?;
        }
        fs::rename(&unfinished, &place).with_context(|| format!("making {}", place.display()))?;
        Ok(true)
    }
}
