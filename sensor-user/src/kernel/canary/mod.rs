//! The observed thing, done by the sensor itself: a hook that does not see it does not work, whatever attaching said.

mod changes;
mod connections;
mod descriptors;
mod keys;
mod listing;
mod opens;
mod reach;
mod rings;
mod settings;
mod signal;
mod sockets;

use std::{
    ffi::OsString,
    fs::File,
    io,
    path::Path,
    process::{Command, Stdio},
};

use claviger_sensor_common::{
    Probe, REQUEST_ENVIRON, REQUEST_KCORE, REQUEST_MAPS, REQUEST_MEM, REQUEST_SMAPS,
};

use super::{Accounts, HookTrial, KernelError, Labeller, ProbeState, secret_names::CANARY_VARIABLE};
use crate::error::in_one_line;

/// Does what a probe is there to see. An error says, in words, what is wrong with its hook.
pub type Canary = fn(&mut Labeller) -> Result<(), String>;

/// The canary of a probe; nothing for those that are judged by their counts or have none.
#[must_use]
pub fn of(probe: Probe) -> Option<Canary> {
    match probe {
        Probe::FileOpen => Some(opens::open_seen),
        Probe::FileOpenDenied => Some(opens::refusal_seen),
        Probe::FileReceived => Some(descriptors::receipt_seen),
        Probe::FileMapped => Some(descriptors::mapping_seen),
        Probe::CredentialChange => Some(changes::change_seen),
        Probe::ProcessSecret => Some(reach::reach_seen),
        Probe::KernelKey => Some(keys::key_call_seen),
        Probe::AgentSocket => Some(sockets::connection_seen),
        Probe::Network => Some(connections::connection_seen),
        Probe::SensorTamper => Some(signal::signal_seen),
        Probe::DirectoryList => Some(listing::listing_seen),
        _ => None,
    }
}

/// The canary of a program that stands beside a probe's own; nothing for those that have none.
pub(super) fn of_beside(program: &str) -> Option<Canary> {
    match program {
        "sys_exit_io_uring_enter" => Some(rings::enter_seen),
        "sys_exit_io_uring_register" => Some(rings::look_seen),
        "sysctl" => Some(settings::setting_seen),
        _ => None,
    }
}

/// What a program that stands beside a probe's own is to see, where that may see it already; nothing for those that are always needed.
pub(super) fn makes_needless(program: &str) -> Option<Canary> {
    match program {
        "fexit_receive_fd" => Some(descriptors::taking_seen),
        _ => None,
    }
}

/// Has the kernel half learn by which operations it knows the files that are a process's memory or environment. Returns those that could
/// not be opened here.
pub(super) fn learn_operations(labeller: &mut Labeller) -> Vec<&'static str> {
    [
        (REQUEST_ENVIRON, "/proc/self/environ", "/proc/PID/environ"),
        (REQUEST_MEM, "/proc/self/mem", "/proc/PID/mem"),
        (REQUEST_MAPS, "/proc/self/maps", "/proc/PID/maps"),
        (REQUEST_SMAPS, "/proc/self/smaps", "/proc/PID/smaps"),
        (REQUEST_KCORE, "/proc/kcore", "/proc/kcore"),
    ]
    .into_iter()
    .filter(|(request, own, _)| seen(labeller, *request, || File::open(own).map(drop)).is_err())
    .map(|(_, _, name)| name)
    .collect()
}

fn seen(labeller: &mut Labeller, request: u32, act: impl FnOnce() -> io::Result<()>) -> Result<(), String> {
    let (acted, seen) = labeller.sees(request, act).map_err(|error| in_one_line(&error))?;
    acted.map_err(|error| in_one_line(&error))?;
    if seen {
        Ok(())
    } else {
        Err("attached but never ran".to_owned())
    }
}

/// Starts a program and waits for its end: its exec, fork and exit are there to be seen, and a variable that is looked for. It is given a file to open,
/// as any other program may; whether it could is returned.
///
/// # Errors
/// Where it cannot be started.
pub fn start_one(command: &[OsString], opens: Option<&Path>) -> io::Result<bool> {
    let (program, arguments) = command
        .split_first()
        .ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
    let ended = Command::new(program)
        .args(arguments)
        .args(opens)
        .env(CANARY_VARIABLE, "there")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()?;
    Ok(opens.is_some() && ended.success())
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
            Probe::ProcessExec | Probe::ProcessFork | Probe::ProcessExit | Probe::ProgramSecrets
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
            let reason = format!("attached but never ran when {program} was started");
            *state = ProbeState::without(state.probe, vec![HookTrial { hook, reason }]);
        }
    }
    Ok(())
}
