//! A process that uses credentials, each once, and says how many.

use std::ffi::CString;
use std::fs;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use clap::Args;
use rustix::fs::{Mode, OFlags, open};
use rustix::time::{ClockId, clock_gettime};

/// Open files of a list, each once, from one on, some at each wake-up; print the pid and how many were opened.
#[derive(Args)]
pub(crate) struct Options {
    /// Files, one a line.
    #[arg(long, value_name = "FILE")]
    list: PathBuf,
    /// Where in the list to begin.
    #[arg(long)]
    from: usize,
    /// How many to open, at most the list's length.
    #[arg(long)]
    uses: usize,
    /// How many at each wake-up.
    #[arg(long)]
    at_once: usize,
    /// Time from one wake-up to the next, in microseconds; 0 for none.
    #[arg(long)]
    interval_us: u64,
    /// The first wake-up, in milliseconds of the monotonic clock.
    #[arg(long)]
    begin_ms: u64,
    /// When to stop, in milliseconds of the monotonic clock.
    #[arg(long)]
    end_ms: u64,
}

pub(crate) fn run(options: &Options) -> anyhow::Result<ExitCode> {
    let text = fs::read(&options.list).with_context(|| format!("reading {}", options.list.display()))?;
    let files: Vec<CString> = text
        .split(|byte| *byte == b'\n')
        .map(|line| CString::new(line).context("a zero byte in a path"))
        .collect::<Result<_, _>>()?;
    drop(text);
    ensure!(
        options.uses <= files.len(),
        "a use of a file that was used is no first use"
    );
    let mut made = 0;
    let end_us = options.end_ms * 1000;
    let mut next_us = options.begin_ms * 1000;
    'uses: while made < options.uses {
        let now = now_us();
        if next_us > now {
            thread::sleep(Duration::from_micros(next_us - now));
        }
        next_us += options.interval_us;
        for _ in 0..options.at_once.min(options.uses - made) {
            if now_us() >= end_us {
                break 'uses;
            }
            let file = &files[(options.from + made) % files.len()];
            open(file, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).context("opening a decoy")?;
            made += 1;
        }
    }
    // One write of few bytes: lines of several processes do not mix.
    let line = format!("{} {made}\n", std::process::id());
    std::io::stdout()
        .write_all(line.as_bytes())
        .context("telling the count")?;
    Ok(ExitCode::SUCCESS)
}

/// Microseconds of the monotonic clock.
pub(super) fn now_us() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    u64::try_from(now.tv_sec).unwrap_or_default() * 1_000_000
        + u64::try_from(now.tv_nsec).unwrap_or_default() / 1000
}
