//! The thread that looks through all open descriptors: at start, when something new was labelled, and, where hooks do not see all ways, again and again.

use std::{
    io,
    sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel},
    thread,
    time::{Duration, Instant},
};

use crate::{error::in_one_line, kernel::OpenDescriptors};

/// Of the time, at most one part in so many is spent on looking: where very much is open, looks come more seldom than configured.
const SHARE: u32 = 50;

/// Wakes the thread, which ends when this is dropped.
pub(super) struct Looks {
    wake: SyncSender<()>,
}

impl Looks {
    /// Looks at once, and then each `interval`, if there is one.
    pub(super) fn start(mut looks: OpenDescriptors, interval: Option<Duration>) -> io::Result<Self> {
        let (wake, woken) = sync_channel(1);
        thread::Builder::new()
            .name("claviger-looks".into())
            .spawn(move || run(&woken, interval, |all| look(&mut looks, all)))?;
        Ok(Self { wake })
    }

    /// Something was labelled that may be open already.
    pub(super) fn soon(&self) {
        // One that waits already serves.
        let _full = self.wake.try_send(());
    }
}

fn look(looks: &mut OpenDescriptors, mapped: bool) {
    if let Err(error) = looks.look(mapped) {
        tracing::error!(error = %in_one_line(&error), "a look through open descriptors failed");
    }
}

/// Mapped files are looked through only when something was labelled: a mapping by a process that was watched is seen as it is made.
fn run(woken: &Receiver<()>, interval: Option<Duration>, mut look: impl FnMut(bool)) {
    let mut mapped = true;
    loop {
        let begun = Instant::now();
        look(mapped);
        let rest = begun.elapsed() * SHARE;
        let earliest = begun + rest;
        let woke = match interval {
            Some(interval) => woken.recv_timeout(interval.max(rest)),
            None => woken.recv().map_err(|_| RecvTimeoutError::Disconnected),
        };
        mapped = match woke {
            Ok(()) => true,
            Err(RecvTimeoutError::Timeout) => false,
            Err(RecvTimeoutError::Disconnected) => return,
        };
        thread::sleep(earliest.saturating_duration_since(Instant::now()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mapped_files_are_looked_through_only_when_woken() {
        let (wake, woken) = sync_channel(1);
        let mut wake = Some(wake);
        let mut looks = Vec::new();
        run(&woken, Some(Duration::from_millis(1)), |mapped| {
            looks.push(mapped);
            match looks.len() {
                3 => wake.as_ref().expect("there").try_send(()).expect("room"),
                4 => wake = None,
                _ => {}
            }
        });
        assert_eq!(looks[..4], [true, false, false, true]);
    }

    #[test]
    fn without_an_interval_it_looks_only_when_woken_and_ends_with_its_owner() {
        let (wake, woken) = sync_channel(1);
        wake.try_send(()).expect("room");
        let mut left = Some(wake);
        let mut looks = 0;
        run(&woken, None, |_| {
            looks += 1;
            left.take();
        });
        assert_eq!(looks, 2, "at start, and for what waited");
    }
}
