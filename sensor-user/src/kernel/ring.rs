//! Records as they come out of the kernel, in order.

use std::{
    io,
    os::fd::{AsFd as _, OwnedFd},
    ptr::{self, NonNull},
    sync::atomic::{AtomicU64, Ordering},
};

use aya::maps::{MapData, RingBuf};
use rustix::{
    mm::{MapFlags, ProtFlags, mmap, munmap},
    param::page_size,
};
use tokio::io::{Interest, unix::AsyncFd};

use super::KernelError;

/// The ring buffer's reading end.
pub struct Records {
    ring: RingBuf<MapData>,
    /// Its size.
    bytes: u32,
    /// Whoever waits for records first has its own runtime poll the ring, by a descriptor of its own: to be woken by another one's thread takes two
    /// turns of the CPU, for which the ring has no room where there is much to do.
    polled: Option<AsyncFd<OwnedFd>>,
    positions: Positions,
}

/// A place between two records.
#[derive(Clone, Copy, Debug)]
pub struct Mark(u64);

impl Records {
    pub(super) fn new(ring: RingBuf<MapData>, bytes: u32) -> Result<Self, KernelError> {
        let positions =
            Positions::of(&ring).map_err(KernelError::io("mapping the positions of the ring buffer"))?;
        Ok(Self {
            ring,
            bytes,
            polled: None,
            positions,
        })
    }

    /// Bytes between what was read and what was written.
    #[must_use]
    pub fn bytes_in_use(&self) -> u64 {
        let read = self.positions.read();
        self.positions.written().wrapping_sub(read).min(self.bytes.into())
    }

    /// Where what was begun until now ends: not all of it need be there to be read yet.
    #[must_use]
    pub fn written(&self) -> Mark {
        Mark(self.positions.written())
    }

    /// Whether everything before `mark` was read.
    #[must_use]
    pub fn has_read(&self, mark: Mark) -> bool {
        // The positions only grow, and start anew behind the last number.
        self.positions.read().wrapping_sub(mark.0).cast_signed() >= 0
    }

    /// Bytes that the ring holds.
    #[must_use]
    pub fn bytes(&self) -> u32 {
        self.bytes
    }

    /// Waits until there is something to read, always within the same tokio runtime.
    ///
    /// # Errors
    /// Those of epoll.
    pub async fn ready(&mut self) -> io::Result<()> {
        let polled = match self.polled.take() {
            Some(polled) => polled,
            None => poll(self.ring.as_fd().try_clone_to_owned()?)?,
        };
        self.polled.insert(polled).readable().await?.clear_ready();
        Ok(())
    }

    /// Hands the next record to `take`, where there is one: each is handed out once. A record that is longer than any of ours is handed out as it
    /// is; decoding refuses it.
    pub fn next<T>(&mut self, take: impl FnOnce(&[u8]) -> T) -> Option<T> {
        let record = self.ring.next()?;
        Some(take(&record))
    }
}

#[expect(
    unsafe_code,
    reason = "the runtime polls the descriptor that its owner says it has"
)]
fn poll(descriptor: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    // SAFETY: an OwnedFd is one descriptor always, and closes it only when it is dropped.
    let polled = unsafe { AsyncFd::register_with_interest(descriptor, Interest::READABLE) };
    polled.map_err(|refused| refused.into_parts().1)
}

/// Where the ring is read and written: the first words of its first two pages. aya keeps them to itself.
struct Positions {
    pages: NonNull<AtomicU64>,
}

#[expect(
    unsafe_code,
    reason = "the kernel tells the positions in shared memory and nowhere else"
)]
// SAFETY: both words are read atomically, and the pages stay mapped as long as this lives, on whatever thread.
unsafe impl Send for Positions {}

#[expect(
    unsafe_code,
    reason = "the kernel tells the positions in shared memory and nowhere else"
)]
// SAFETY: as above; nothing is written through it.
unsafe impl Sync for Positions {}

#[expect(
    unsafe_code,
    reason = "the kernel tells the positions in shared memory and nowhere else"
)]
impl Positions {
    fn of(ring: &RingBuf<MapData>) -> io::Result<Self> {
        // SAFETY: a new mapping, at a place that the kernel chooses.
        let pages = unsafe {
            mmap(
                ptr::null_mut(),
                2 * page_size(),
                ProtFlags::READ,
                MapFlags::SHARED,
                ring.as_fd(),
                0,
            )?
        };
        let pages = NonNull::new(pages.cast()).ok_or(io::ErrorKind::AddrNotAvailable)?;
        Ok(Self { pages })
    }

    fn read(&self) -> u64 {
        // SAFETY: the page begins with an aligned word, and is mapped. The kernel reads and writes it as one word too.
        unsafe { self.pages.as_ref() }.load(Ordering::Acquire)
    }

    fn written(&self) -> u64 {
        // SAFETY: as above, of the second page.
        unsafe { self.pages.byte_add(page_size()).as_ref() }.load(Ordering::Acquire)
    }
}

impl Drop for Positions {
    #[expect(
        unsafe_code,
        reason = "the kernel tells the positions in shared memory and nowhere else"
    )]
    fn drop(&mut self) {
        // SAFETY: what was mapped above, and nobody else has it.
        let _unmapped = unsafe { munmap(self.pages.as_ptr().cast(), 2 * page_size()) };
    }
}
