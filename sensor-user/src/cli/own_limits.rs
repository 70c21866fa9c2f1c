//! What the kernel tells a process that has come to a limit of its own. Left alone these signals end it, and root can set another's limits: so they are taken,
//! and the limit is lifted. That somebody has set it is seen by itself (`sensor_tamper`).

use std::io;

use rustix::process::Resource;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::own_limits::lift;

/// `SIGXCPU` and `SIGXFSZ`, the same on all of Linux but mips.
const CPU_TIME: i32 = 24;
const FILE_SIZE: i32 = 25;

/// Waits for both.
#[derive(Debug)]
pub(super) struct OwnLimits {
    cpu_time: Signal,
    file_size: Signal,
    /// Whether a limit could not be lifted.
    is_stuck: bool,
}

impl OwnLimits {
    /// From here on neither ends the process: a write that goes too far fails.
    ///
    /// # Errors
    /// That of the kernel.
    pub(super) fn take() -> io::Result<Self> {
        Ok(Self {
            cpu_time: signal(SignalKind::from_raw(CPU_TIME))?,
            file_size: signal(SignalKind::from_raw(FILE_SIZE))?,
            is_stuck: false,
        })
    }

    /// Waits until a limit is reached, and lifts it: as far as it may.
    pub(super) async fn lift(&mut self) {
        let (limit, resource) = tokio::select! {
            _ = self.cpu_time.recv() => ("CPU time", Resource::Cpu),
            _ = self.file_size.recv() => ("size of a file", Resource::Fsize),
        };
        match lift(resource) {
            Ok(()) => {
                self.is_stuck = false;
                tracing::error!(limit, "somebody has limited the sensor; the limit is lifted");
            }
            // Said once: where the log is such a file, to write it gives the next signal.
            Err(error) if !self.is_stuck => {
                self.is_stuck = true;
                tracing::error!(
                    limit,
                    %error,
                    "somebody has limited the sensor, and it may not lift the limit; restart it"
                );
            }
            Err(_) => {}
        }
    }
}
