//! The observed thing, done by the sensor itself: a hook that does not see it does not work, whatever attaching said.

use std::{
    ffi::OsString,
    fs::File,
    io::{self, IoSlice, IoSliceMut},
    mem::MaybeUninit,
    os::{fd::AsFd as _, unix::fs::MetadataExt as _},
    path::Path,
    process::{Command, Stdio},
};

use claviger_sensor_common::{
    Probe, REQUEST_DENIED, REQUEST_ENVIRON, REQUEST_KCORE, REQUEST_MAPPED, REQUEST_MAPS, REQUEST_MEM,
    REQUEST_REACHED, REQUEST_RECEIVED,
};
use rustix::{
    mm::{MapFlags, ProtFlags, mmap, munmap},
    net::{
        AddressFamily, RecvAncillaryBuffer, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags,
        SocketFlags, SocketType, recvmsg, sendmsg, socketpair,
    },
};

use super::{Accounts, HookTrial, KernelError, Labeller, ProbeState, Purpose};
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
/// Why it was not seen.
pub fn refusal_seen(labeller: &mut Labeller) -> Result<(), String> {
    seen(labeller, REQUEST_DENIED, || {
        // Refused is what it shall be.
        let _refused = File::options().write(true).open("/proc/sys/kernel/ostype");
        Ok(())
    })
}

/// Sends a descriptor to itself.
///
/// # Errors
/// Why it was not seen.
pub fn receipt_seen(labeller: &mut Labeller) -> Result<(), String> {
    seen(labeller, REQUEST_RECEIVED, || {
        let (from, to) = socketpair(
            AddressFamily::UNIX,
            SocketType::STREAM,
            SocketFlags::CLOEXEC,
            None,
        )?;
        let descriptors = [from.as_fd()];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        control.push(SendAncillaryMessage::ScmRights(&descriptors));
        sendmsg(&from, &[IoSlice::new(b"?")], &mut control, SendFlags::empty())?;
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let mut byte = [0];
        recvmsg(
            &to,
            &mut [IoSliceMut::new(&mut byte)],
            &mut control,
            RecvFlags::CMSG_CLOEXEC,
        )?;
        Ok(())
    })
}

/// Maps a page of its own program.
///
/// # Errors
/// Why it was not seen.
#[expect(
    unsafe_code,
    reason = "a mapping is made and taken away, and never looked into"
)]
pub fn mapping_seen(labeller: &mut Labeller) -> Result<(), String> {
    const BYTES: usize = 1;
    seen(labeller, REQUEST_MAPPED, || {
        let program = File::open("/proc/self/exe")?;
        // SAFETY: the kernel chooses the address, where nothing was; nobody else knows of it.
        unsafe {
            let mapping = mmap(
                std::ptr::null_mut(),
                BYTES,
                ProtFlags::READ,
                MapFlags::PRIVATE,
                &program,
                0,
            )?;
            munmap(mapping, BYTES)?;
        }
        Ok(())
    })
}

/// Reads a byte of its own memory as if it were another's.
///
/// # Errors
/// Why it was not seen.
#[expect(unsafe_code, reason = "rustix has no process_vm_readv")]
pub fn reach_seen(labeller: &mut Labeller) -> Result<(), String> {
    seen(labeller, REQUEST_REACHED, || {
        let from = [1u8];
        let mut to = [0u8];
        let local = libc::iovec {
            iov_base: to.as_mut_ptr().cast(),
            iov_len: to.len(),
        };
        let remote = libc::iovec {
            iov_base: from.as_ptr().cast_mut().cast(),
            iov_len: from.len(),
        };
        let own = rustix::process::getpid().as_raw_nonzero().get();
        // SAFETY: both vectors describe one byte each, which live until the call has returned.
        let read = unsafe { libc::process_vm_readv(own, &raw const local, 1, &raw const remote, 1, 0) };
        if read == 1 {
            Ok(())
        } else {
            Err(io::Error::last_os_error())
        }
    })
}

/// Has the kernel half learn by which operations it knows the files that are a process's memory or environment. Returns those that could
/// not be opened here.
pub(super) fn learn_operations(labeller: &mut Labeller) -> Vec<&'static str> {
    [
        (REQUEST_ENVIRON, "/proc/self/environ", "/proc/PID/environ"),
        (REQUEST_MEM, "/proc/self/mem", "/proc/PID/mem"),
        (REQUEST_MAPS, "/proc/self/maps", "/proc/PID/maps"),
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
            let reason = format!("attached but never ran when {program} was started");
            *state = ProbeState::without(state.probe, vec![HookTrial { hook, reason }]);
        }
    }
    Ok(())
}
