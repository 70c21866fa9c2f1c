//! The end-to-end tests on other kernels, in QEMU.
//!
//! - Each kernel is Debian's newest of its series, fetched by apt, unpacked into a cache, never installed.
//! - Each is booted twice: with `bpf` in the list of LSMs, where the hook in use must be `lsm/file_open`, and without, where that hook
//!   attaches and never runs, must be found out, and the hook in use must be `fentry/security_file_open`.
//! - A boot ends: by itself, or killed at its time limit. A boot that ran no test has failed.

mod archive;
mod artefacts;
mod boot;
mod counting;
mod image;
mod kernel;
mod libraries;
mod serial;

use std::fs;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Args;

use crate::coverage;
use crate::setup::{self, Need};
use crate::side_by_side::side_by_side;
use crate::workspace::Workspace;
use boot::{Boot, Machine, Tests};
pub(crate) use counting::count;
pub(crate) use kernel::Series;
pub(crate) use serial::Report;

/// Run the end-to-end tests on other kernels, in QEMU.
///
/// Boots Debian's newest cloud kernel of each series with an initramfs that holds both programs and the end-to-end tests. Takes an x86-64
/// Debian or Ubuntu.
#[derive(Args)]
pub(crate) struct Options {
    /// Which kernel: a series, or all of them.
    #[arg(long, value_enum, default_value_t = Choice::All)]
    kernel: Choice,
    /// Boot only with this list of LSMs (default: once with bpf in it, once without).
    #[arg(long, value_name = "LIST")]
    lsm: Option<String>,
    /// Use KVM. Without it the processor is emulated, which is slow and works everywhere; a /dev/kvm inside a VM is often there and broken.
    #[arg(long)]
    kvm: bool,
    /// Run only this test binary, e.g. `ways`, or those of its tests whose names have one of these parts, e.g. `trace/repeats/no_secret`.
    #[arg(long, value_name = "NAME[/PART]…")]
    test: Option<String>,
    /// Keep the image of each boot, and print the command that boots it.
    #[arg(long)]
    keep: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Choice {
    #[value(name = "6.1")]
    V6_1,
    #[value(name = "6.12")]
    V6_12,
    All,
}

impl Choice {
    fn series(self) -> &'static [Series] {
        match self {
            Self::V6_1 => &[Series::V6_1],
            Self::V6_12 => &[Series::V6_12],
            Self::All => &Series::ALL,
        }
    }
}

pub(crate) fn run(workspace: &Workspace, options: &Options) -> anyhow::Result<ExitCode> {
    let lists: Vec<&str> = options
        .lsm
        .as_deref()
        .map_or_else(|| boot::LSM_LISTS.to_vec(), |list| vec![list]);
    let tests = options.test.clone().map_or(Tests::All, Tests::Of);
    let results = boot_all(workspace, options.kernel.series(), &lists, options, |_, _| {
        tests.clone()
    })?;
    let mut all_passed = true;
    for (name, report) in &results {
        all_passed &= report.failed() == 0;
        println!("{name}: {} passed, {} failed", report.passed, report.failed());
    }
    Ok(if all_passed {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Both boots of every kernel, for `cargo xtask test`: every test in each of them, or a selection.
pub(crate) fn run_all(workspace: &Workspace, whole: bool) -> anyhow::Result<Vec<(String, Report)>> {
    let options = Options {
        kernel: Choice::All,
        lsm: None,
        kvm: false,
        test: None,
        keep: false,
    };
    let tests = if whole {
        |_, _: &str| Tests::All
    } else {
        Tests::thinned
    };
    boot_all(workspace, &Series::ALL, &boot::LSM_LISTS, &options, tests)
}

/// Boots at a time. The tests of one keep little more than one of its emulated CPUs busy.
const AT_ONCE: usize = 2;

fn boot_all(
    workspace: &Workspace,
    series: &[Series],
    lists: &[&str],
    options: &Options,
    tests: impl Fn(Series, &str) -> Tests,
) -> anyhow::Result<Vec<(String, Report)>> {
    setup::ensure(workspace, &[Need::KernelHalf, Need::Vm])?;
    let only = options.test.as_deref().and_then(|test| test.split('/').next());
    let artefacts = artefacts::build(workspace, only)?;
    let image = image::build(workspace, &artefacts, options.keep)?;
    let mut boots = Vec::new();
    for series in series {
        let kernel = kernel::fetch(workspace, *series)?;
        let image = image.with_modules_of(&kernel, &series.to_string())?;
        for list in lists {
            boots.push(Boot {
                series: *series,
                kernel: kernel.clone(),
                image: image.clone(),
                lsm: (*list).to_owned(),
                machine: if options.kvm {
                    Machine::Kvm
                } else {
                    Machine::Emulated
                },
                tests: tests(*series, list),
            });
        }
    }
    let mut results = Vec::new();
    let reports = side_by_side(AT_ONCE, &boots, |boot| boot.run(workspace, options.keep));
    for (boot, report) in boots.iter().zip(reports) {
        let mut report = report?;
        // Where only some tests were asked for, there may be no results.
        if options.test.is_none() || !report.coverage.is_empty() {
            compare_coverage(workspace, boot, &mut report)?;
        }
        results.push((boot.name(), report));
    }
    Ok(results)
}

/// Leaves what the ways to a credential gave where `coverage` looks for it, and compares it with the document.
fn compare_coverage(workspace: &Workspace, boot: &Boot, report: &mut Report) -> anyhow::Result<()> {
    let results = coverage::place(workspace, &boot.results_name())?;
    fs::write(&results, &report.coverage).with_context(|| format!("writing {}", results.display()))?;
    let trouble = match coverage::holds(workspace, &[boot.results_name()]) {
        Ok(true) => return Ok(()),
        Ok(false) => "docs/coverage.md says something else".to_owned(),
        Err(error) => format!("{error:#}"),
    };
    report.trouble.push(trouble);
    Ok(())
}
