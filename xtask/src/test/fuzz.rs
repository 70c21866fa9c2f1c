//! A while of each fuzz target. How they are built is told in `tests/fuzz/README.md`.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::Context as _;

use super::outcome::Outcome;
use crate::side_by_side::side_by_side;
use crate::step;
use crate::workspace::Workspace;

const TRIPLE: &str = "x86_64-unknown-linux-gnu";
/// What `cargo fuzz` passes, without the address sanitizer, which needs a nightly standard library.
const FLAGS: &str = "-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares --cfg fuzzing";
const SECONDS: u32 = 5;
const FULL_SECONDS: u32 = 600;

/// At a time: each keeps one CPU busy.
const AT_ONCE: usize = 2;

/// Compiles them.
pub(super) fn build(workspace: &Workspace) -> anyhow::Result<Outcome> {
    let folder = workspace.root().join("tests/fuzz");
    let mut build = workspace.cargo_at_leisure();
    build
        .current_dir(&folder)
        .env("RUSTC_BOOTSTRAP", "1")
        .env("RUSTFLAGS", FLAGS);
    build
        .args([
            "build",
            "--release",
            "--locked",
            "--target",
            TRIPLE,
            "--target-dir",
        ])
        .arg(folder.join("target"));
    let ended = step::run(workspace, "compiling the fuzz targets", "fuzz-build", &mut build)?;
    if !ended.status.success() {
        ended.show();
    }
    Ok(Outcome::check(
        "build of the fuzz targets",
        ended.status.success(),
    ))
}

/// Runs each of them for a while.
pub(super) fn all(workspace: &Workspace, full: bool) -> anyhow::Result<Vec<Outcome>> {
    let folder = workspace.root().join("tests/fuzz");
    let seconds = if full { FULL_SECONDS } else { SECONDS };
    let one = |target: &String| {
        let ended = step::run(
            workspace,
            &format!("fuzzing {target} for {seconds} s"),
            &format!("fuzz-{target}"),
            &mut fuzz(&folder, target, seconds)?,
        )?;
        if !ended.status.success() {
            ended.show();
        }
        anyhow::Ok(ended.status.success())
    };
    let mut counts = (0, 0);
    for passed in side_by_side(AT_ONCE, &targets(&folder)?, one) {
        if passed? {
            counts.0 += 1;
        } else {
            counts.1 += 1;
        }
    }
    Ok(vec![Outcome::counted("fuzz targets", counts, counts.1 == 0)])
}

/// One for each file.
fn targets(folder: &Path) -> anyhow::Result<Vec<String>> {
    let sources = folder.join("fuzz_targets");
    let entries = fs::read_dir(&sources).with_context(|| format!("reading {}", sources.display()))?;
    let files = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let mut targets: Vec<_> = files
        .filter_map(|file| file.strip_suffix(".rs").map(str::to_owned))
        .collect();
    targets.sort();
    anyhow::ensure!(!targets.is_empty(), "{} holds no target", sources.display());
    Ok(targets)
}

fn fuzz(folder: &Path, target: &str, seconds: u32) -> anyhow::Result<Command> {
    let corpus = folder.join("corpus").join(target);
    let artefacts = folder.join("artifacts");
    for directory in [&corpus, &artefacts] {
        fs::create_dir_all(directory).with_context(|| format!("creating {}", directory.display()))?;
    }
    let mut fuzz = Command::new(folder.join("target").join(TRIPLE).join("release").join(target));
    fuzz.current_dir(folder);
    fuzz.arg(format!("-max_total_time={seconds}"))
        .args(["-timeout=10", "-max_len=65536"]);
    fuzz.arg(format!("-artifact_prefix=artifacts/{target}-"))
        .arg(corpus);
    let seeds = folder.join("seeds").join(target);
    if seeds.is_dir() {
        fuzz.arg(seeds);
    }
    Ok(fuzz)
}
