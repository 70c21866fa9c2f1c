//! The command that is watched, from its gate to its end.

use std::io;
use std::os::fd::AsFd as _;
use std::process::{Child, Command, ExitStatus};
use std::time::Duration;

use anyhow::Context as _;

use super::Options;
use super::service::{Came, Service, wait};
use super::signals::Signals;
use crate::process;

/// After Ctrl-C, which the terminal sends to the command too, it has this long to end.
const GRACE: Duration = Duration::from_secs(10);
const FOREVER: Duration = Duration::from_secs(u32::MAX as u64);

/// Sends the command's output to standard error when standard output is for JSON alone.
pub(super) fn redirect(command: &mut Command, options: &Options) -> anyhow::Result<()> {
    if options.json && options.output.is_none() {
        let stderr = io::stderr()
            .as_fd()
            .try_clone_to_owned()
            .context("duplicating standard error")?;
        command.stdout(stderr);
    }
    Ok(())
}

/// Waits for its end. It is stopped when this is interrupted or when one of the services ends before it.
pub(super) fn wait_for(
    child: &mut Child,
    services: [&mut Service; 3],
    signals: &Signals,
) -> anyhow::Result<ExitStatus> {
    let came = {
        let handle = process::handle(child).context("opening a handle on the command")?;
        let [watch, sensor, detector] = &services;
        wait(
            signals,
            &[handle.as_fd(), watch.handle(), sensor.handle(), detector.handle()],
            FOREVER,
        )?
    };
    if came == Came::Handle(0) {
        return child.wait().context("waiting for the command");
    }
    let status = process::stop(child, GRACE).context("stopping the command")?;
    let [watch, sensor, detector] = services;
    match came {
        Came::Handle(1) => Err(watch.ended()),
        Came::Handle(2) => Err(sensor.ended()),
        Came::Handle(_) => Err(detector.ended()),
        Came::Interrupt | Came::Nothing => {
            signals.clear();
            Ok(status)
        }
    }
}
