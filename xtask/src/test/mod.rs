//! Everything that must hold, one step after the other.
//!
//! - All steps run, also behind one that failed.
//! - What is counted: each check as one, each test case of each runner, each fuzz target. A runner that fails without naming a case counts
//!   as one failure.
//! - The last line on standard output is `N passed, N failed`, and nothing is printed behind it.

mod checks;
mod counts;
mod failures;
mod fuzz;
mod outcome;
mod runners;

use std::panic::resume_unwind;
use std::process::ExitCode;
use std::thread;
use std::time::Instant;

use clap::Args;

use crate::coverage;
use crate::setup::{self, Need};
use crate::vm;
use crate::workspace::Workspace;
use outcome::Outcome;

/// Run every check and every test, here and in VMs.
///
/// Formatting, clippy (of the kernel half too), tidy, unit, property and end-to-end tests, documentation tests, five seconds of each fuzz
/// target, and the end-to-end tests on other kernels. Installs what it needs. The last line is `N passed, N failed`.
#[derive(Args)]
pub(crate) struct Options {
    /// Also what is long: ignored tests, many more cases of property tests, ten minutes of each fuzz target, every test in every VM.
    #[arg(long)]
    full: bool,
}

type Step = fn(&Workspace, bool) -> anyhow::Result<Vec<Outcome>>;

const STEPS: [(&str, Step); 10] = [
    ("format", checks::format),
    ("build", checks::build),
    ("clippy of the kernel half", checks::clippy_of_kernel_half),
    ("tidy", checks::tidy),
    ("dependencies", checks::dependencies),
    ("tests of this host", tests_of_this_host),
    ("doc tests", runners::doc_tests),
    ("coverage", coverage_of_this_host),
    ("fuzz", fuzz::all),
    ("virtual machines", virtual_machines),
];

pub(crate) fn run(workspace: &Workspace, options: &Options) -> anyhow::Result<ExitCode> {
    setup::ensure(workspace, &[Need::KernelHalf, Need::Vm, Need::Tests])?;
    let mut outcomes = Vec::new();
    for (name, step) in STEPS {
        let begun = Instant::now();
        match step(workspace, options.full) {
            Ok(some) => outcomes.extend(some),
            Err(error) => {
                eprintln!("{name}: {error:#}");
                outcomes.push(Outcome::check(name, false));
            }
        }
        eprintln!("{name}: {:.0} s", begun.elapsed().as_secs_f64());
    }
    if let Some(failures) = outcome::failures(&outcomes) {
        println!("{failures}");
    }
    println!("{}", outcome::table(&outcomes));
    let passed: usize = outcomes.iter().map(|outcome| outcome.passed).sum();
    let failed: usize = outcomes.iter().map(|outcome| outcome.failed).sum();
    println!("{passed} passed, {failed} failed");
    Ok(if failed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// End-to-end tests wait more than they compute: meanwhile the fuzz targets are compiled, and clippy reads everything.
fn tests_of_this_host(workspace: &Workspace, full: bool) -> anyhow::Result<Vec<Outcome>> {
    thread::scope(|scope| {
        let beside = scope.spawn(|| {
            let fuzz = fuzz::build(workspace)?;
            anyhow::Ok([fuzz, checks::clippy(workspace)?])
        });
        let mut outcomes = runners::nextest(workspace, full)?;
        outcomes.extend(beside.join().unwrap_or_else(|panic| resume_unwind(panic))?);
        Ok(outcomes)
    })
}

/// The VMs' own columns are compared with their boots.
fn coverage_of_this_host(workspace: &Workspace, _: bool) -> anyhow::Result<Vec<Outcome>> {
    let label = "coverage of this host as in the document";
    if !rustix::process::geteuid().is_root() {
        eprintln!("{label}: left out, for the ways are watched as root only");
        return Ok(Vec::new());
    }
    let holds = coverage::holds(workspace, &[coverage::THIS_HOST.to_owned()])?;
    Ok(vec![Outcome::check(label, holds)])
}

fn virtual_machines(workspace: &Workspace, full: bool) -> anyhow::Result<Vec<Outcome>> {
    let reports = vm::run_all(workspace, full)?;
    let outcome = |(name, report): (String, vm::Report)| Outcome {
        name,
        passed: report.passed,
        failed: report.failed(),
        failures: [report.failures, report.trouble].concat(),
    };
    Ok(reports.into_iter().map(outcome).collect())
}
