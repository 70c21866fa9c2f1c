//! Real clients of clouds, for tests: a Python environment of its own below the target directory.

use std::fs;
use std::process::Command;

use anyhow::Context as _;

use crate::step;
use crate::workspace::{Workspace, find_program};

/// Makes sure that the clients of `tests/clients/requirements.txt` are in `target/clients`: as it says now.
pub(super) fn ensure(workspace: &Workspace) -> anyhow::Result<bool> {
    let requirements = workspace.root().join("tests/clients/requirements.txt");
    let wanted = fs::read(&requirements).with_context(|| format!("reading {}", requirements.display()))?;
    let place = workspace.target().join("clients");
    // Written last, so that it says what is there.
    let installed = place.join("requirements.txt");
    if fs::read(&installed).is_ok_and(|installed| installed == wanted) {
        return Ok(false);
    }
    let python =
        find_program("python3").context("python3 is needed for clients that tests try: install it")?;
    let mut make = Command::new(python);
    make.args(["-m", "venv", "--clear"]).arg(&place);
    step::must(
        workspace,
        "making an environment for clients of clouds",
        "clients-venv",
        &mut make,
    )?;
    let mut install = Command::new(place.join("bin/python"));
    install
        .args([
            "-m",
            "pip",
            "install",
            "--disable-pip-version-check",
            "--requirement",
        ])
        .arg(&requirements);
    step::must(
        workspace,
        "installing clients of clouds by pip (about 60 s)",
        "clients-pip",
        &mut install,
    )?;
    fs::write(&installed, wanted).with_context(|| format!("writing {}", installed.display()))?;
    Ok(true)
}
