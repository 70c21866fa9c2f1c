//! Children that end with this program, whatever ends it, and are ended within a bound.

use std::ffi::{OsStr, OsString};
use std::io::{self, BufRead as _, BufReader};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, ExitCode, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use clap::Args;
use rustix::process::{Pid, Signal, getppid, kill_process, set_parent_process_death_signal};

/// This program, for a child to run.
const THIS_PROGRAM: &str = "/proc/self/exe";
const STEP: Duration = Duration::from_millis(10);
/// How long a child may take to end by itself.
const GRACE: Duration = Duration::from_secs(20);

/// Become another program, in a process that ends with its parent.
#[derive(Args)]
pub(crate) struct Options {
    /// The parent.
    #[arg(long, value_name = "PID")]
    parent: i32,
    /// The program and its arguments.
    #[arg(last = true, required = true, value_name = "COMMAND")]
    command: Vec<OsString>,
}

pub(crate) fn run(options: &Options) -> anyhow::Result<ExitCode> {
    set_parent_process_death_signal(Some(Signal::TERM)).context("asking for the parent's death signal")?;
    if getppid().map(Pid::as_raw_pid) != Some(options.parent) {
        // It died before the signal was asked for.
        return Ok(ExitCode::FAILURE);
    }
    let (program, arguments) = options.command.split_first().context("no command")?;
    let error = Command::new(program).args(arguments).exec();
    Err(error).with_context(|| format!("starting {}", program.display()))
}

/// A command for a program that ends with this one. The terminal's Ctrl-C does not reach it: it is ended in order.
pub(crate) fn command(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(THIS_PROGRAM);
    command
        .args(["child", "--parent", &std::process::id().to_string(), "--"])
        .arg(program)
        .process_group(0)
        .stdin(Stdio::null());
    command
}

/// A command for a verb of this program.
pub(crate) fn verb(name: &str) -> Command {
    let mut command = command(THIS_PROGRAM);
    command.arg(name);
    command
}

/// The same in a mount namespace of its own in which tracefs is mounted, where it is not already.
pub(crate) fn with_tracefs(program: impl AsRef<OsStr>) -> Command {
    const MOUNT: &str =
        "test -e /sys/kernel/tracing/events || mount -t tracefs tracefs /sys/kernel/tracing; exec \"$@\"";
    let mut command = command("unshare");
    command.args(["--mount", "sh", "-c", MOUNT, "sh"]).arg(program);
    command
}

/// A child that is ended when this is dropped.
#[derive(Debug)]
pub(crate) struct Running {
    name: String,
    child: Child,
}

impl Running {
    pub(crate) fn start(name: &str, command: &mut Command) -> anyhow::Result<Self> {
        let child = command.spawn().with_context(|| format!("starting {name}"))?;
        Ok(Self {
            name: name.to_owned(),
            child,
        })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Reads the first line of its standard output, which must be piped.
    pub(crate) fn first_line(&mut self) -> anyhow::Result<String> {
        let output = self.child.stdout.as_mut().context("its output is not piped")?;
        let mut line = String::new();
        BufReader::new(output)
            .read_line(&mut line)
            .with_context(|| format!("reading what {} says", self.name))?;
        if line.is_empty() {
            let status = self.child.wait().context("waiting")?;
            bail!("{} ended: {status}", self.name);
        }
        Ok(line)
    }

    /// Goes on reading its standard output, to nowhere.
    pub(crate) fn discard_output(&mut self) {
        if let Some(mut output) = self.child.stdout.take() {
            // Ends with the child.
            thread::spawn(move || io::copy(&mut output, &mut io::sink()));
        }
    }

    /// An error if it has ended.
    pub(crate) fn check(&mut self) -> anyhow::Result<()> {
        match self.child.try_wait().context("waiting")? {
            Some(status) => bail!("{} ended: {status}", self.name),
            None => Ok(()),
        }
    }

    /// Asks it to end, makes it after [`GRACE`].
    fn stop(&mut self) -> anyhow::Result<()> {
        if self.child.try_wait().context("waiting")?.is_some() {
            return Ok(());
        }
        // Not reaped yet, so the pid is still this child's.
        kill_process(Pid::from_child(&self.child), Signal::TERM).context("asking it to end")?;
        let end = Instant::now() + GRACE;
        while self.child.try_wait().context("waiting")?.is_none() {
            if Instant::now() > end {
                self.child.kill().context("killing it")?;
                self.child.wait().context("waiting")?;
                break;
            }
            thread::sleep(STEP);
        }
        Ok(())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Err(error) = self.stop() {
            eprintln!("warning: stopping {}: {error:#}", self.name);
        }
    }
}

/// Runs a command to its end; its standard output.
pub(crate) fn output(command: &mut Command, what: &str) -> anyhow::Result<String> {
    let output = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("{what}: starting {}", command.get_program().display()))?;
    if !output.status.success() {
        bail!(
            "{what}: {}: {}",
            output.status,
            String::from_utf8_lossy(&output.stderr).trim_end()
        );
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
