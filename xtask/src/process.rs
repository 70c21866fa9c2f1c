//! Children that end with xtask, and waiting for them with an end to the waiting.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::process::{Child, Command, ExitStatus};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open};

/// A command that becomes the program within a process that gets SIGTERM should this one die, however it dies.
pub(crate) fn with_this(program: &Path) -> Command {
    let mut command = Command::new(THIS_PROGRAM);
    command
        .args(["exec", "--with-parent", &std::process::id().to_string(), "--"])
        .arg(program);
    command
}

/// This program, for a child to run: the file that runs, also when another one was built in its place meanwhile.
pub(crate) const THIS_PROGRAM: &str = "/proc/self/exe";

/// A handle that becomes readable when the child ends.
pub(crate) fn handle(child: &Child) -> io::Result<OwnedFd> {
    Ok(pidfd_open(Pid::from_child(child), PidfdFlags::empty())?)
}

/// Waits until one of the handles is readable or the time is over; returns the first readable one's place in the list.
pub(crate) fn wait_any(handles: &[BorrowedFd<'_>], limit: Duration) -> io::Result<Option<usize>> {
    let end = Instant::now() + limit;
    loop {
        let mut polled: Vec<_> = handles
            .iter()
            .map(|handle| PollFd::new(handle, PollFlags::IN))
            .collect();
        let left = end.saturating_duration_since(Instant::now());
        let timeout = Timespec {
            tv_sec: i64::try_from(left.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: left.subsec_nanos().into(),
        };
        match poll(&mut polled, Some(&timeout)) {
            Ok(0) => return Ok(None),
            Ok(_) => return Ok(polled.iter().position(|polled| !polled.revents().is_empty())),
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// Waits for the child's end, for so long.
pub(crate) fn wait_timeout(child: &mut Child, limit: Duration) -> io::Result<Option<ExitStatus>> {
    if let Some(status) = child.try_wait()? {
        return Ok(Some(status));
    }
    let handle = handle(child)?;
    wait_any(&[handle.as_fd()], limit)?;
    child.try_wait()
}

/// Asks the child to end, and makes it when it has not after `grace`.
pub(crate) fn stop(child: &mut Child, grace: Duration) -> io::Result<ExitStatus> {
    if let Some(status) = child.try_wait()? {
        return Ok(status);
    }
    // Not reaped yet, so the pid is still this child's.
    kill_process(Pid::from_child(child), Signal::TERM)?;
    if let Some(status) = wait_timeout(child, grace)? {
        return Ok(status);
    }
    child.kill()?;
    child.wait()
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt as _;

    use super::*;

    #[test]
    fn a_child_that_ends_is_noticed() {
        let mut child = Command::new("true").spawn().expect("true starts");
        let status = wait_timeout(&mut child, Duration::from_secs(60)).expect("waits");
        assert!(status.expect("it ended").success());
    }

    #[test]
    fn waiting_has_an_end() {
        let mut child = Command::new("sleep").arg("600").spawn().expect("sleep starts");
        assert_eq!(
            wait_timeout(&mut child, Duration::from_millis(10)).expect("waits"),
            None
        );
        let status = stop(&mut child, Duration::from_secs(60)).expect("stops");
        assert_eq!(status.signal(), Some(15));
    }

    #[test]
    fn a_child_that_will_not_go_is_killed() {
        let mut stubborn = Command::new("sh");
        stubborn
            .args(["-c", "trap '' TERM; echo; exec sleep 600"])
            .stdout(std::process::Stdio::piped());
        let mut child = stubborn.spawn().expect("sh starts");
        // Its first line says that the trap is set.
        let mut line = [0];
        io::Read::read_exact(child.stdout.as_mut().expect("piped"), &mut line).expect("it speaks");
        let status = stop(&mut child, Duration::from_millis(50)).expect("stops");
        assert_eq!(status.signal(), Some(9));
    }
}
