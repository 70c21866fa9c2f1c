//! A boot in which one program runs, on a machine whose clock counts instructions.

use std::path::PathBuf;

use anyhow::ensure;

use super::artefacts::{self, Artefacts};
use super::boot::{Boot, Machine, Tests};
use super::{Series, image, kernel};
use crate::build::Programs;
use crate::setup::{self, Need};
use crate::step::{Progress, tail};
use crate::workspace::Workspace;

/// Every hook works with this one.
const LSM_LIST: &str = "landlock,bpf";

/// Boots each kernel with the program in the place of the tests; what each boot said on its serial line.
pub(crate) fn count(
    workspace: &Workspace,
    series: &[Series],
    programs: Programs,
    name: &str,
    program: PathBuf,
) -> anyhow::Result<Vec<(Series, String)>> {
    setup::ensure(workspace, &[Need::KernelHalf, Need::Vm])?;
    let artefacts = Artefacts {
        programs,
        init: artefacts::init(workspace)?,
        tests: vec![(name.to_owned(), program)],
    };
    let image = image::build(workspace, &artefacts, false)?;
    let mut all = Vec::new();
    for series in series {
        let boot = Boot {
            series: *series,
            kernel: kernel::fetch(workspace, *series)?,
            image: image.path(),
            lsm: LSM_LIST.to_owned(),
            machine: Machine::Counting,
            tests: Tests::All,
        };
        let mut progress = Progress::start(&format!("{}, counting instructions (some minutes)", boot.name()));
        let said = boot.listen(workspace, false, &mut progress)?;
        progress.end(if said.in_time {
            "ended"
        } else {
            "KILLED at its limit"
        });
        ensure!(
            said.in_time,
            "{} did not end; its last words:\n{}",
            boot.name(),
            tail(&said.log)
        );
        all.push((*series, said.text));
    }
    Ok(all)
}
