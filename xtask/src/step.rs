//! One command of many, told as it goes: a line for the person, the command's output in a log, its last lines when it fails.
//!
//! On a terminal the line is kept up to date with the time and the log's last line; elsewhere it is printed at the start, every half
//! minute, and at the end.

use std::fs::{self, File};
use std::io::{IsTerminal as _, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::Context as _;

use crate::exit::{FAILED, Failure};
use crate::process;
use crate::workspace::Workspace;

/// Of a failing command's output, this much is shown. All of it is in the log.
const TAIL_LINES: usize = 25;
/// Of a failing runner's, which says at its end what each failing test printed.
const LONG_TAIL_LINES: usize = 200;
const TAIL_BYTES: u64 = 32 * 1024;
const HEARTBEAT: Duration = Duration::from_secs(30);

/// How a step ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    pub(crate) log: PathBuf,
}

impl Ended {
    /// Shows the end of the output, for one that failed.
    pub(crate) fn show(&self) {
        eprintln!(
            "{}
{}; all of the output: {}",
            tail_of(&self.log, LONG_TAIL_LINES),
            self.status,
            self.log.display()
        );
    }
}

/// Runs the command with its output going to `target/xtask/logs/NAME.log`, and tells how it goes.
///
/// # Errors
/// Only when it cannot be run; a command that failed is an `Ended`.
pub(crate) fn run(
    workspace: &Workspace,
    label: &str,
    name: &str,
    command: &mut Command,
) -> anyhow::Result<Ended> {
    let log = workspace.scratch("xtask/logs")?.join(format!("{name}.log"));
    let file = File::create(&log).with_context(|| format!("creating {}", log.display()))?;
    let errors = file
        .try_clone()
        .with_context(|| format!("opening {} twice", log.display()))?;
    let mut progress = Progress::start(label);
    let mut child = command
        .env("CARGO_TERM_COLOR", "never")
        .stdin(Stdio::null())
        .stdout(file)
        .stderr(errors)
        .spawn()
        .with_context(|| format!("starting {}", command.get_program().display()))?;
    let status = loop {
        if let Some(status) = process::wait_timeout(&mut child, Duration::from_secs(1)).context("waiting")? {
            break status;
        }
        progress.tick(|| tail(&log).lines().last().unwrap_or_default().to_owned());
    };
    progress.end(if status.success() { "done" } else { "FAILED" });
    Ok(Ended { status, log })
}

/// As [`run`], where only success will do.
pub(crate) fn must(
    workspace: &Workspace,
    label: &str,
    name: &str,
    command: &mut Command,
) -> anyhow::Result<Ended> {
    let ended = run(workspace, label, name, command)?;
    if ended.status.success() {
        return Ok(ended);
    }
    eprintln!("{}", tail(&ended.log));
    let text = format!(
        "{label}: {} (all of its output: {})",
        ended.status,
        ended.log.display()
    );
    Err(Failure::new(FAILED, text).into())
}

/// The last lines of a log that are for people, as far as it can be read.
pub(crate) fn tail(log: &Path) -> String {
    tail_of(log, TAIL_LINES)
}

fn tail_of(log: &Path, count: usize) -> String {
    let mut text = Vec::new();
    let read = File::open(log).and_then(|mut file| {
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(TAIL_BYTES)))?;
        file.read_to_end(&mut text)
    });
    if let Err(error) = read {
        return format!("(reading {}: {error})", log.display());
    }
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<_> = text.lines().filter(|line| !is_for_machines(line)).collect();
    lines[lines.len().saturating_sub(count)..].join("\n")
}

/// cargo's messages as JSON, among what it says to people.
fn is_for_machines(line: &str) -> bool {
    line.starts_with("{\"reason\":")
}

/// A log's whole text, as far as it is text.
pub(crate) fn text(log: &Path) -> anyhow::Result<String> {
    let bytes = fs::read(log).with_context(|| format!("reading {}", log.display()))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// The line that tells how long something takes.
pub(crate) struct Progress {
    label: String,
    start: Instant,
    told: Instant,
    terminal: bool,
}

impl Progress {
    pub(crate) fn start(label: &str) -> Self {
        let now = Instant::now();
        let progress = Self {
            label: label.to_owned(),
            start: now,
            told: now,
            terminal: std::io::stderr().is_terminal(),
        };
        if progress.terminal {
            progress.rewrite("…");
        } else {
            eprintln!("{label} …");
        }
        progress
    }

    /// To be called about every second; `detail` says what is going on.
    pub(crate) fn tick(&mut self, detail: impl FnOnce() -> String) {
        let seconds = self.start.elapsed().as_secs();
        if self.terminal {
            let detail: String = detail().chars().filter(|c| !c.is_control()).take(60).collect();
            self.rewrite(&format!("… {seconds} s  {detail}"));
        } else if self.told.elapsed() >= HEARTBEAT {
            self.told = Instant::now();
            eprintln!("{} … {seconds} s ({})", self.label, detail().trim());
        }
    }

    pub(crate) fn end(self, word: &str) {
        let end = format!("{word} in {:.1} s", self.start.elapsed().as_secs_f64());
        if self.terminal {
            self.rewrite(&end);
            eprintln!();
        } else {
            eprintln!("{}: {end}", self.label);
        }
    }

    /// A terminal that is gone loses the progress line and nothing else.
    fn rewrite(&self, rest: &str) {
        let mut terminal = std::io::stderr().lock();
        drop(write!(terminal, "\r\x1b[K{} {rest}", self.label));
        drop(terminal.flush());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tail_is_the_last_lines_that_are_for_people() {
        let log = std::env::temp_dir().join(format!("xtask-tail-{}", std::process::id()));
        let mut lines: Vec<_> = (1..=100).map(|number| number.to_string()).collect();
        lines.push(r#"{"reason":"compiler-artifact"}"#.to_owned());
        fs::write(&log, lines.join("\n")).expect("written");
        let tail = tail(&log);
        fs::remove_file(&log).expect("removed");
        assert_eq!(tail.lines().count(), TAIL_LINES);
        assert_eq!(tail.lines().last(), Some("100"));
    }
}
