//! A process that does one thing again and again and says how long it took. It does nothing else: it has no other thread, and allocates
//! nothing between its first look at the clock and its last.

use std::ffi::CString;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use clap::{Args, ValueEnum};
use rustix::fs::{CWD, Mode, OFlags, openat};
use rustix::process::getppid;

use crate::child;

/// A batch is followed by a pause, in which the sensor takes what a full batch of records left in its ring.
const PAUSE: Duration = Duration::from_millis(30);

/// What is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum What {
    /// Opens and closes the files of the list, from the first again when they are through.
    Open,
    Getppid,
    /// Runs `true`.
    Process,
}

/// Do one thing in batches; print the nanoseconds of a call in each batch.
#[derive(Args)]
pub(crate) struct Options {
    /// What to do.
    #[arg(value_enum)]
    what: What,
    /// How many batches are measured.
    #[arg(long)]
    batches: usize,
    /// Calls in a batch.
    #[arg(long)]
    calls: usize,
    /// Batches before the first that is measured.
    #[arg(long, default_value_t = 0)]
    warm_up: usize,
    /// Files to open, one a line.
    #[arg(long, value_name = "FILE")]
    list: Option<PathBuf>,
    /// Pause behind each batch.
    #[arg(long)]
    pause: bool,
}

pub(crate) fn run(options: &Options) -> anyhow::Result<ExitCode> {
    let files = options
        .list
        .as_deref()
        .map(read_list)
        .transpose()?
        .unwrap_or_default();
    ensure!(
        options.what != What::Open || !files.is_empty(),
        "there is nothing to open: the list is empty"
    );
    let mut next = 0;
    let mut results = vec![0.0; options.batches];
    for batch in 0..options.warm_up + options.batches {
        let begun = Instant::now();
        match options.what {
            What::Open => open_each(&files, &mut next, options.calls)?,
            What::Getppid => {
                for _ in 0..options.calls {
                    std::hint::black_box(getppid());
                }
            }
            What::Process => {
                for _ in 0..options.calls {
                    let status = Command::new("/bin/true").status().context("running true")?;
                    ensure!(status.success(), "true failed");
                }
            }
        }
        let took = begun.elapsed();
        if let Some(result) = batch
            .checked_sub(options.warm_up)
            .and_then(|at| results.get_mut(at))
        {
            #[expect(clippy::cast_precision_loss, reason = "a measurement")]
            let of_a_call = took.as_nanos() as f64 / options.calls as f64;
            *result = of_a_call;
        }
        if options.pause {
            thread::sleep(PAUSE);
        }
    }
    println!("{}", serde_json::to_string(&results)?);
    Ok(ExitCode::SUCCESS)
}

/// Whoever meets the file for the first time also fills the directory cache: a look at each does that before.
fn read_list(path: &Path) -> anyhow::Result<Vec<CString>> {
    let text = fs::read(path).with_context(|| format!("reading {}", path.display()))?;
    text.split(|byte| *byte == b'\n')
        .map(|line| {
            let path = Path::new(std::ffi::OsStr::from_bytes(line));
            fs::metadata(path).with_context(|| format!("looking at {}", path.display()))?;
            CString::new(line).context("a zero byte in a path")
        })
        .collect()
}

fn open_each(files: &[CString], next: &mut usize, calls: usize) -> anyhow::Result<()> {
    for _ in 0..calls {
        // As libc opens: where the system call differs from that of the empty program, that program would cost nothing.
        let flags = OFlags::RDONLY | OFlags::CLOEXEC;
        let file = openat(CWD, &files[*next], flags, Mode::empty()).context("opening")?;
        drop(file);
        *next = if *next + 1 == files.len() { 0 } else { *next + 1 };
    }
    Ok(())
}

/// How a loop is run.
#[derive(Clone, Debug)]
pub(crate) struct Plan<'a> {
    pub(crate) what: What,
    pub(crate) list: Option<&'a Path>,
    pub(crate) batches: usize,
    pub(crate) calls: usize,
    pub(crate) warm_up: usize,
    pub(crate) pause: bool,
    /// With `SCHED_FIFO`, so that nothing else takes this CPU during a batch.
    pub(crate) real_time: bool,
}

impl Plan<'_> {
    /// Runs it in a process of its own; nanoseconds of a call, a batch each.
    pub(crate) fn measure(&self) -> anyhow::Result<Vec<f64>> {
        let mut command = if self.real_time {
            let mut chrt = child::command("chrt");
            chrt.args(["--fifo", "50"])
                .arg(std::env::current_exe().context("finding this program")?)
                .arg("loop");
            chrt
        } else {
            child::verb("loop")
        };
        let name = self.what.to_possible_value().context("a hidden loop")?;
        command
            .arg(name.get_name())
            .args(["--batches", &self.batches.to_string()])
            .args(["--calls", &self.calls.to_string()])
            .args(["--warm-up", &self.warm_up.to_string()]);
        if self.pause {
            command.arg("--pause");
        }
        if let Some(list) = self.list {
            command.arg("--list").arg(list);
        }
        command.stdout(Stdio::piped());
        let text = child::output(&mut command, "measuring")?;
        serde_json::from_str(&text).context("reading what was measured")
    }
}
