//! Ctrl-C, SIGTERM and SIGHUP as something to wait for beside children.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;

use anyhow::Context as _;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::low_level::pipe;

/// Once this exists, these signals no longer end xtask; they make this readable.
pub(super) struct Signals {
    reader: UnixStream,
}

impl Signals {
    pub(super) fn catch() -> anyhow::Result<Self> {
        let (reader, writer) = UnixStream::pair().context("making a pair of sockets for signals")?;
        reader
            .set_nonblocking(true)
            .context("making the signals' socket non-blocking")?;
        for signal in [SIGHUP, SIGINT, SIGTERM] {
            let writer = writer.try_clone().context("cloning the signals' socket")?;
            pipe::register(signal, writer).with_context(|| format!("catching signal {signal}"))?;
        }
        Ok(Self { reader })
    }

    pub(super) fn handle(&self) -> BorrowedFd<'_> {
        self.reader.as_fd()
    }

    /// Forgets the signals that came until now.
    pub(super) fn clear(&self) {
        let mut buffer = [0; 64];
        while matches!(io::Read::read(&mut &self.reader, &mut buffer), Ok(1..)) {}
    }
}
