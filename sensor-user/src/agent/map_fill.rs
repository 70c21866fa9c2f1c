//! The thread that counts how full the kernel half's maps are.

use std::{
    io,
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{RecvTimeoutError, SyncSender, sync_channel},
    },
    thread,
    time::{Duration, Instant},
};

use crate::kernel::{Fill, MapFill as Counted};

/// How often it counts.
const EVERY: Duration = Duration::from_secs(10);

/// Of the time, at most one part in so many is spent on counting.
const SHARE: u32 = 100;

/// What was counted last. The thread ends when this is dropped.
pub(super) struct MapFill {
    counted: Arc<Mutex<Vec<Counted>>>,
    _ends: SyncSender<()>,
}

impl MapFill {
    /// Counts at once, and from then on.
    pub(super) fn start(fill: Fill) -> io::Result<Self> {
        let (ends, ended) = sync_channel(0);
        let counted: Arc<Mutex<Vec<Counted>>> = Arc::default();
        let told = Arc::clone(&counted);
        thread::Builder::new()
            .name("claviger-fill".into())
            .spawn(move || {
                loop {
                    let begun = Instant::now();
                    let now = fill.count();
                    *told.lock().unwrap_or_else(PoisonError::into_inner) = now;
                    let pause = EVERY.max(begun.elapsed() * SHARE);
                    if ended.recv_timeout(pause) != Err(RecvTimeoutError::Timeout) {
                        return;
                    }
                }
            })?;
        Ok(Self { counted, _ends: ends })
    }

    /// What was counted last; nothing before the first time.
    pub(super) fn counted(&self) -> Vec<Counted> {
        self.counted
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}
