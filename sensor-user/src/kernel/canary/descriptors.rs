//! Descriptors received and mapped.

use std::{
    fs::File,
    io::{IoSlice, IoSliceMut},
    mem::MaybeUninit,
    os::fd::{AsFd as _, AsRawFd as _, OwnedFd},
};

use claviger_sensor_common::{REQUEST_MAPPED, REQUEST_RECEIVED};
use rustix::{
    mm::{MapFlags, ProtFlags, mmap, munmap},
    net::{
        AddressFamily, RecvAncillaryBuffer, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags,
        SocketFlags, SocketType, recvmsg, sendmsg, socketpair,
    },
    process::{PidfdFlags, PidfdGetfdFlags, getpid, pidfd_getfd, pidfd_open},
};

use super::seen;
use crate::kernel::Labeller;

/// Sends a descriptor to itself.
///
/// # Errors
/// Why it was not seen.
pub(super) fn receipt_seen(labeller: &mut Labeller) -> Result<(), String> {
    seen(labeller, REQUEST_RECEIVED, || {
        let (from, to) = sockets()?;
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

fn sockets() -> rustix::io::Result<(OwnedFd, OwnedFd)> {
    socketpair(
        AddressFamily::UNIX,
        SocketType::STREAM,
        SocketFlags::CLOEXEC,
        None,
    )
}

/// Takes one of its own descriptors, as out of another process.
///
/// # Errors
/// Why it was not seen.
pub(super) fn taking_seen(labeller: &mut Labeller) -> Result<(), String> {
    seen(labeller, REQUEST_RECEIVED, || {
        let (from, _to) = sockets()?;
        let this = pidfd_open(getpid(), PidfdFlags::empty())?;
        pidfd_getfd(&this, from.as_raw_fd(), PidfdGetfdFlags::empty())?;
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
pub(super) fn mapping_seen(labeller: &mut Labeller) -> Result<(), String> {
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
