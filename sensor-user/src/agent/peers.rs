//! Other sensors of this host, such as a `trace`: they open candidates to recognise them, as this one does.
//!
//! A sensor announces itself at the control socket, where only root may knock, and is marked when it runs this very program. From then on until
//! it ends, or runs another program, what it opens is recorded with a mark, so that many opens can be told as one. Nothing is left out, and the mark
//! excuses nothing: a library that was loaded into that program (`LD_PRELOAD`), or a debugger, can do as it likes under its name.

use std::collections::HashSet;

use crate::{
    attribute::{program_of, start_ticks_of},
    decode::ProcessKey,
};

/// Other sensors at a time. At the bound a further one is refused, and what it opens is reported as use.
pub const PEERS_MAX: usize = 64;

/// Those that are running.
#[derive(Debug, Default)]
pub(super) struct Peers {
    running: HashSet<ProcessKey>,
}

impl Peers {
    /// Believes a process to be a sensor.
    ///
    /// # Errors
    /// Why it is not believed, in words for who asked.
    pub(super) fn announce(&mut self, pid: Option<u32>) -> Result<(), String> {
        let pid = pid.ok_or("the asking process has no id here")?;
        // Both are read from the same directory, and so of the same process.
        let (process, its) = program_of(pid).ok_or_else(|| format!("process {pid} is gone"))?;
        let (_, own) = program_of(std::process::id()).ok_or("the own program cannot be read")?;
        if its != own {
            return Err(format!(
                "process {pid} runs another program than this sensor; what it opens is reported as use"
            ));
        }
        if self.running.len() >= PEERS_MAX && !self.running.contains(&process) {
            self.running
                .retain(|peer| start_ticks_of(peer.pid) == Some(peer.start_ticks));
            if self.running.len() >= PEERS_MAX {
                return Err(format!(
                    "{PEERS_MAX} other sensors run here; what more of them open is reported as use"
                ));
            }
        }
        self.running.insert(process);
        Ok(())
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.running.len()
    }

    /// Whether a process is one.
    pub(super) fn holds(&self, process: ProcessKey) -> bool {
        self.running.contains(&process)
    }

    /// It ended, or runs another program now.
    pub(super) fn forget(&mut self, process: ProcessKey) {
        self.running.remove(&process);
    }
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn the_same_program_is_believed_until_it_ends() {
        let mut peers = Peers::default();
        let pid = std::process::id();
        peers.announce(Some(pid)).expect("it is this program");
        let own = ProcessKey {
            pid,
            start_ticks: start_ticks_of(pid).expect("running"),
        };
        assert!(peers.holds(own));
        let reused = ProcessKey {
            start_ticks: own.start_ticks + 1,
            ..own
        };
        assert!(!peers.holds(reused), "a pid alone is nobody");
        peers.forget(own);
        assert!(!peers.holds(own));
    }

    #[test]
    fn another_program_is_not_believed() {
        let mut other = Command::new("/bin/cat")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("started");
        // It has its program from the moment that it answers.
        std::io::Write::write_all(other.stdin.as_mut().expect("piped"), b"x").expect("written");
        std::io::Read::read_exact(other.stdout.as_mut().expect("piped"), &mut [0]).expect("answered");
        let refused = Peers::default().announce(Some(other.id()));
        drop(other.stdin.take());
        other.wait().expect("ended");
        assert!(refused.expect_err("it is cat").contains("another program"));
        assert!(Peers::default().announce(None).is_err());
    }
}
