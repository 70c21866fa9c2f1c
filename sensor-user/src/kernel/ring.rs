//! Records as they come out of the kernel, in order.

use std::{
    io,
    os::fd::{AsFd as _, AsRawFd, RawFd},
};

use aya::maps::{MapData, RingBuf};
use tokio::io::{Interest, unix::AsyncFd};

use super::KernelError;

/// The ring buffer's reading end.
pub struct Records {
    ring: AsyncFd<RingBuf<MapData>>,
}

impl Records {
    /// Must be called within a tokio runtime.
    #[expect(
        unsafe_code,
        reason = "the runtime polls the descriptor that the ring says it has"
    )]
    pub(super) fn new(ring: RingBuf<MapData>) -> Result<Self, KernelError> {
        // SAFETY: a RingBuf owns its map's descriptor, returns the same one always, and closes it only when it is dropped.
        let ring = unsafe { AsyncFd::register_with_interest(ring, Interest::READABLE) }
            .map_err(|error| KernelError::io("waiting on the ring buffer")(error.into()))?;
        Ok(Self { ring })
    }

    /// Waits until there is something to read.
    ///
    /// # Errors
    /// Those of epoll.
    pub async fn ready(&self) -> io::Result<()> {
        self.ring.readable().await?.clear_ready();
        Ok(())
    }

    /// Hands at most `limit` records to `take`, each once, and returns how many there were. Bounded, so that a flood cannot keep the
    /// agent from everything else. A record that is longer than any of ours is handed out as it is; decoding refuses it.
    pub fn drain(&mut self, limit: usize, mut take: impl FnMut(&[u8])) -> usize {
        let mut taken = 0;
        while taken < limit {
            let Some(record) = self.ring.get_mut().next() else {
                break;
            };
            take(&record);
            taken += 1;
        }
        taken
    }
}

impl AsRawFd for Records {
    fn as_raw_fd(&self) -> RawFd {
        self.ring.get_ref().as_fd().as_raw_fd()
    }
}
