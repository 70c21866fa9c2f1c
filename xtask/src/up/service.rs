//! A program of ours that runs beside the command: started, waited for until ready, stopped.

use std::fs::File;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use anyhow::Context as _;

use super::notify::NotifySocket;
use super::signals::Signals;
use crate::exit::{self, Failure, UNAVAILABLE};
use crate::process;
use crate::step::tail;

/// How long a program has to end by itself before it is killed.
const GRACE: Duration = Duration::from_secs(10);
/// How long a program has to become ready: loading all probes takes a second or two, a first scan of a large host longer.
const READY: Duration = Duration::from_secs(60);
/// As a shell says it of a command that SIGINT ended.
const INTERRUPTED: u8 = 130;

/// What came of a wait.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Came {
    /// The thing at this place of the list.
    Handle(usize),
    /// Ctrl-C or the like.
    Interrupt,
    /// Nothing, in time.
    Nothing,
}

/// Waits for handles, and for Ctrl-C.
pub(super) fn wait(signals: &Signals, handles: &[BorrowedFd<'_>], limit: Duration) -> anyhow::Result<Came> {
    let all: Vec<_> = std::iter::once(signals.handle())
        .chain(handles.iter().copied())
        .collect();
    Ok(match process::wait_any(&all, limit).context("waiting")? {
        Some(0) => Came::Interrupt,
        Some(place) => Came::Handle(place - 1),
        None => Came::Nothing,
    })
}

pub(super) fn interrupted() -> anyhow::Error {
    Failure::new(INTERRUPTED, "interrupted").into()
}

/// A command that is not reached by the terminal's Ctrl-C: it is for xtask to stop things in order.
pub(super) fn detached(program: &Path) -> Command {
    let mut command = process::with_this(program);
    command.process_group(0).stdin(Stdio::null());
    command
}

/// A running program.
pub(super) struct Service {
    name: &'static str,
    child: Child,
    handle: OwnedFd,
    log: PathBuf,
}

impl Service {
    /// Starts it with its output going to the log.
    pub(super) fn start(name: &'static str, mut command: Command, log: &Path) -> anyhow::Result<Self> {
        let file = File::create(log).with_context(|| format!("creating {}", log.display()))?;
        let errors = file
            .try_clone()
            .with_context(|| format!("opening {} twice", log.display()))?;
        command.stdout(file).stderr(errors);
        Self::started(
            name,
            command.spawn().with_context(|| format!("starting {name}"))?,
            log,
        )
    }

    /// Takes over a child that was started.
    pub(super) fn started(name: &'static str, mut child: Child, log: &Path) -> anyhow::Result<Self> {
        match process::handle(&child) {
            Ok(handle) => Ok(Self {
                name,
                child,
                handle,
                log: log.to_owned(),
            }),
            Err(error) => {
                process::stop(&mut child, GRACE).with_context(|| format!("stopping {name}"))?;
                Err(error).with_context(|| format!("opening a handle on {name}"))
            }
        }
    }

    /// Readable when it has ended.
    pub(super) fn handle(&self) -> BorrowedFd<'_> {
        self.handle.as_fd()
    }

    pub(super) fn child(&mut self) -> &mut Child {
        &mut self.child
    }

    /// Waits until it says that it is ready.
    pub(super) fn wait_ready(&mut self, socket: NotifySocket, signals: &Signals) -> anyhow::Result<()> {
        loop {
            match wait(signals, &[socket.handle(), self.handle.as_fd()], READY)? {
                Came::Interrupt => return Err(interrupted()),
                Came::Nothing => {
                    let text = format!("{} was not ready after {} s", self.name, READY.as_secs());
                    return Err(self.failure(UNAVAILABLE, &text));
                }
                Came::Handle(0) => {
                    if socket
                        .says_ready()
                        .with_context(|| format!("reading what {} says", self.name))?
                    {
                        return socket
                            .drain()
                            .with_context(|| format!("listening to {}", self.name));
                    }
                }
                Came::Handle(_) => return Err(self.ended()),
            }
        }
    }

    /// For one that ended when it should not have: what it said, with its own exit code.
    pub(super) fn ended(&mut self) -> anyhow::Error {
        match self.child.wait() {
            Ok(status) => {
                let code = if status.success() {
                    UNAVAILABLE
                } else {
                    exit::code_of(status)
                };
                self.failure(code, &format!("{} ended: {status}", self.name))
            }
            Err(error) => anyhow::Error::new(error).context(format!("waiting for {}", self.name)),
        }
    }

    fn failure(&self, code: u8, text: &str) -> anyhow::Error {
        Failure::new(
            code,
            format!("{text}; the end of {}:\n{}", self.log.display(), tail(&self.log)),
        )
        .into()
    }

    /// Asks it to end and makes it if it does not; once it has ended, says how.
    pub(super) fn stop(&mut self) -> anyhow::Result<ExitStatus> {
        process::stop(&mut self.child, GRACE).with_context(|| format!("stopping {}", self.name))
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        if let Err(error) = self.stop() {
            eprintln!("warning: {error:#}");
        }
    }
}
