//! The socket on which a program says that it is ready, as systemd's protocol has it.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::thread;

use anyhow::Context as _;

/// One program's socket. A message longer than this is cut; `READY=1` comes first or alone.
const MESSAGE_BYTES: usize = 4096;

pub(super) struct NotifySocket {
    socket: UnixDatagram,
    path: PathBuf,
}

impl NotifySocket {
    pub(super) fn bind(directory: &Path, name: &str) -> anyhow::Result<Self> {
        let path = directory.join(format!("{name}.notify"));
        let socket = UnixDatagram::bind(&path).with_context(|| format!("binding {}", path.display()))?;
        socket
            .set_nonblocking(true)
            .with_context(|| format!("making {} non-blocking", path.display()))?;
        Ok(Self { socket, path })
    }

    /// For the program's `NOTIFY_SOCKET`.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn handle(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    /// Reads what has come; whether the program said that it is ready.
    pub(super) fn says_ready(&self) -> io::Result<bool> {
        let mut buffer = [0; MESSAGE_BYTES];
        loop {
            match self.socket.recv(&mut buffer) {
                Ok(length) if is_ready(&buffer[..length]) => return Ok(true),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(error) => return Err(error),
            }
        }
    }

    /// Goes on reading what the program says, to nobody: were the socket closed, it would complain, and were it full, it would wait.
    pub(super) fn drain(self) -> io::Result<()> {
        self.socket.set_nonblocking(false)?;
        let listen = move || while self.socket.recv(&mut [0; MESSAGE_BYTES]).is_ok() {};
        thread::Builder::new()
            .name("notify".to_owned())
            .spawn(listen)
            .map(drop)
    }
}

fn is_ready(message: &[u8]) -> bool {
    message
        .split(|byte| *byte == b'\n')
        .any(|line| line == b"READY=1")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_ready_line_is_ready() {
        assert!(is_ready(b"READY=1"));
        assert!(is_ready(b"STATUS=up\nREADY=1\n"));
        assert!(!is_ready(b"STATUS=READY=1"));
        assert!(!is_ready(b"READY=0\n"));
        assert!(!is_ready(b""));
    }

    #[test]
    fn a_ready_behind_other_messages_is_found() {
        let directory = std::env::temp_dir();
        let name = format!("xtask-{}", std::process::id());
        let socket = NotifySocket::bind(&directory, &name).expect("binds");
        assert!(!socket.says_ready().expect("reads"));
        let sender = UnixDatagram::unbound().expect("a socket");
        for message in ["STATUS=loading", "READY=1"] {
            sender.send_to(message.as_bytes(), socket.path()).expect("sends");
        }
        assert!(socket.says_ready().expect("reads"));
        std::fs::remove_file(socket.path()).expect("removed");
    }
}
