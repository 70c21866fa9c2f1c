//! The observed thing, done by the sensor itself: a hook that does not see it does not work, whatever attaching said.

use std::{
    ffi::OsString,
    fs::File,
    io,
    os::unix::fs::MetadataExt as _,
    path::Path,
    process::{Command, Stdio},
};

use claviger_sensor_common::Probe;

use super::{Accounts, KernelError, Labeller, ProbeState, Purpose};
use crate::error::in_one_line;

/// Opens a file and compares what the hook read of it with what the kernel tells user space. procfs shows its inode numbers as they are.
///
/// # Errors
/// What is wrong with the hook, in words.
pub fn open_seen(labeller: &mut Labeller) -> Result<(), String> {
    let (opened, object) = labeller
        .ask(Purpose::Identify, || File::open("/proc/self/status"))
        .map_err(|error| in_one_line(&error))?;
    let object = object.ok_or(
        "attached but never ran (or the sensor is in a pid namespace of its own: give it the host's)",
    )?;
    let expected = opened
        .and_then(|file| file.metadata())
        .map_err(|error| error.to_string())?
        .ino();
    if object.inode == expected {
        Ok(())
    } else {
        Err(format!(
            "it read inode {} where the kernel says {expected}",
            object.inode
        ))
    }
}

/// An open that is refused even to root: a constant of sysctl, for writing.
///
/// # Errors
/// Always but on a kernel that is broken.
pub fn open_refused() -> io::Result<File> {
    File::options().write(true).open("/proc/sys/kernel/ostype")
}

/// Starts a program and waits for its end: its exec, fork and exit are there to be seen.
///
/// # Errors
/// Where it cannot be started.
pub fn start_one(command: &[OsString]) -> io::Result<()> {
    let (program, arguments) = command
        .split_first()
        .ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
    Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()?;
    Ok(())
}

/// A process probe that counted nothing of the canary does not work, whatever attaching said.
pub(super) fn judge_process_probes(
    probes: &mut [ProbeState],
    accounts: &Accounts,
    canary_command: &[OsString],
) -> Result<(), KernelError> {
    let counts = accounts.read()?;
    for state in probes.iter_mut() {
        let of_processes = matches!(
            state.probe,
            Probe::ProcessExec | Probe::ProcessFork | Probe::ProcessExit
        );
        let silent = counts.get(&state.probe).is_none_or(|accounts| accounts.seen == 0);
        if !of_processes || !silent {
            continue;
        }
        if let Some(hook) = state.hook.take() {
            let program = canary_command
                .first()
                .map(|program| Path::new(program).display().to_string())
                .unwrap_or_default();
            *state = ProbeState::without_processes(
                state.probe,
                hook,
                format!("attached but never ran when {program} was started"),
            );
        }
    }
    Ok(())
}
