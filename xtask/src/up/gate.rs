//! Holds the command back until everything watches it.
//!
//! The command's process is there from the start, as xtask's own verb `exec`, waiting; its pid and start time are known. When the gate
//! opens it becomes the command.

use std::fs;
use std::io::Write as _;
use std::os::fd::AsFd as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::process::{Child, Command};
use std::time::Duration;

use anyhow::{Context as _, bail};

use super::service::{Came, interrupted, wait};
use super::signals::Signals;
use crate::process;

const ARRIVAL: Duration = Duration::from_secs(30);

/// The command's process, waiting.
pub(super) struct Held {
    child: Child,
    gate: UnixStream,
    ticks: u64,
}

impl Held {
    /// Starts the process; `prepare` sets where its output goes.
    pub(super) fn start(
        directory: &Path,
        signals: &Signals,
        command: &[std::ffi::OsString],
        prepare: impl FnOnce(&mut Command) -> anyhow::Result<()>,
    ) -> anyhow::Result<Self> {
        let path = directory.join("gate");
        let listener = UnixListener::bind(&path).with_context(|| format!("binding {}", path.display()))?;
        let mut holder = Command::new(process::THIS_PROGRAM);
        holder
            .arg("exec")
            .arg("--gate")
            .arg(&path)
            .arg("--")
            .args(command);
        prepare(&mut holder)?;
        let mut child = holder.spawn().context("starting the command's process")?;
        match arrive(&listener, signals, &child) {
            Ok((gate, ticks)) => Ok(Self { child, gate, ticks }),
            Err(error) => {
                process::stop(&mut child, Duration::from_secs(1))
                    .context("stopping the command's process")?;
                Err(error)
            }
        }
    }

    /// Pid and start time in ticks, as `PID:TICKS`.
    pub(super) fn key(&self) -> String {
        format!("{}:{}", self.child.id(), self.ticks)
    }

    /// Lets it run.
    pub(super) fn open(mut self) -> anyhow::Result<Child> {
        self.gate.write_all(b"\n").context("letting the command run")?;
        Ok(self.child)
    }
}

fn arrive(listener: &UnixListener, signals: &Signals, child: &Child) -> anyhow::Result<(UnixStream, u64)> {
    let handle = process::handle(child).context("opening a handle on the command's process")?;
    match wait(signals, &[listener.as_fd(), handle.as_fd()], ARRIVAL)? {
        Came::Handle(0) => {}
        Came::Interrupt => return Err(interrupted()),
        Came::Handle(_) | Came::Nothing => bail!("the command's process did not come up"),
    }
    let (gate, _) = listener.accept().context("accepting the command's process")?;
    let path = format!("/proc/{}/stat", child.id());
    let stat = fs::read_to_string(&path).with_context(|| format!("reading {path}"))?;
    let ticks = start_ticks(&stat).with_context(|| format!("{path} has no field 22"))?;
    Ok((gate, ticks))
}

/// Field 22 of `/proc/PID/stat`. Field 2 is the name in parentheses, which may hold spaces and parentheses itself.
fn start_ticks(stat: &str) -> Option<u64> {
    let (_, rest) = stat.rsplit_once(") ")?;
    rest.split_ascii_whitespace().nth(22 - 3)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_start_time_is_found_behind_any_name() {
        let rest = "S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 4711 20";
        assert_eq!(start_ticks(&format!("12 (sh) {rest}")), Some(4711));
        assert_eq!(start_ticks(&format!("12 (a b) c) {rest}")), Some(4711));
        assert_eq!(start_ticks("12 (sh) S 1"), None);
        assert_eq!(start_ticks(""), None);
    }

    #[test]
    fn this_process_has_one() {
        let stat = fs::read_to_string("/proc/self/stat").expect("proc is mounted");
        assert!(start_ticks(&stat).is_some_and(|ticks| ticks > 0));
    }
}
