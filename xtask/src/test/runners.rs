//! The steps that run test cases on this host.

use std::process::Command;

use super::counts;
use super::failures;
use super::outcome::Outcome;
use crate::coverage;
use crate::step;
use crate::workspace::Workspace;

/// Cases of each property test in a full run, in place of 256.
const FULL_CASES: &str = "10000";

fn long(command: &mut Command, full: bool) {
    if full {
        command
            .env("CLAVIGER_TEST_FULL", "1")
            .env("PROPTEST_CASES", FULL_CASES);
    }
}

/// Unit, property and end-to-end tests.
pub(super) fn nextest(workspace: &Workspace, full: bool) -> anyhow::Result<Vec<Outcome>> {
    let mut nextest = workspace.cargo();
    nextest.args(["nextest", "run", "--workspace", "--locked", "--profile", "ci"]);
    if full {
        nextest.args(["--run-ignored", "all"]);
    }
    long(&mut nextest, full);
    nextest.env(
        coverage::VARIABLE,
        coverage::place(workspace, coverage::THIS_HOST)?,
    );
    let ended = step::run(
        workspace,
        "unit, property and end-to-end tests",
        "nextest",
        &mut nextest,
    )?;
    if !ended.status.success() {
        ended.show();
    }
    let log = step::text(&ended.log)?;
    let mut outcome = Outcome::counted(
        "unit, property and end-to-end tests",
        counts::nextest(&log).unwrap_or_default(),
        ended.status.success(),
    );
    outcome.failures = failures::nextest(&log);
    Ok(vec![outcome])
}

/// Examples in documentation, which nextest does not run.
pub(super) fn doc_tests(workspace: &Workspace, full: bool) -> anyhow::Result<Vec<Outcome>> {
    let mut cargo = workspace.cargo();
    cargo.args(["test", "--doc", "--workspace", "--locked", "--no-fail-fast"]);
    long(&mut cargo, full);
    let ended = step::run(workspace, "documentation tests", "doc-tests", &mut cargo)?;
    if !ended.status.success() {
        ended.show();
    }
    let counts = counts::libtest(&step::text(&ended.log)?);
    Ok(vec![Outcome::counted(
        "documentation tests",
        counts,
        ended.status.success(),
    )])
}
