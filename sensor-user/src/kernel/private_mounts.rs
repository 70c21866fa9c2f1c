//! tracefs and securityfs for whoever must read them, on hosts where nobody has mounted them, without mounting anything on the host.

use std::{fs, io, path::Path, thread};

use rustix::{
    io::Errno,
    mount::{MountFlags, MountPropagationFlags, mount, mount_change},
    thread::{UnshareFlags, unshare_unsafe},
};

use super::KernelError;

/// Where the kernel makes mount points for them.
const MOUNTS: [(&str, &str); 2] = [
    ("tracefs", "/sys/kernel/tracing"),
    ("securityfs", "/sys/kernel/security"),
];

/// Runs `work` on a thread that has its own mount namespace, in which tracefs and securityfs are mounted as far as they can be. The
/// namespace ends with the thread.
///
/// # Errors
/// Those of `work`, and [`KernelError::Io`] where no thread or namespace is to be had.
pub(super) fn with_private_mounts<T: Send>(
    work: impl FnOnce() -> Result<T, KernelError> + Send,
) -> Result<T, KernelError> {
    thread::scope(|scope| {
        let worker = thread::Builder::new()
            .name("claviger-attach".into())
            .spawn_scoped(scope, || {
                enter().map_err(KernelError::io(
                    "making a private mount namespace (needs CAP_SYS_ADMIN)",
                ))?;
                work()
            })
            .map_err(KernelError::io("starting a thread"))?;
        worker
            .join()
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

#[expect(
    unsafe_code,
    reason = "unsharing a namespace changes the thread under code that may rely on it"
)]
fn enter() -> io::Result<()> {
    // SAFETY: only this thread's view of mounts changes, and the working directory that goes with it; no descriptor table is unshared.
    unsafe { unshare_unsafe(UnshareFlags::NEWNS) }?;
    match mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC) {
        Ok(()) => {}
        // In a chroot whose root is no mount point nothing can be made private, so nothing is mounted.
        Err(Errno::INVAL) => return Ok(()),
        Err(error) => return Err(error.into()),
    }
    for (kind, place) in MOUNTS {
        if is_empty(Path::new(place)) {
            // A kernel without it has hooks without it; whoever needs it will say so.
            let _unavailable = mount(
                kind,
                place,
                kind,
                MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC,
                None,
            );
        }
    }
    Ok(())
}

fn is_empty(directory: &Path) -> bool {
    fs::read_dir(directory).is_ok_and(|mut entries| entries.next().is_none())
}
