//! The thread that searches the whole host, now and then, for what can lie anywhere (`**/*.pem`). It opens and reads, but labels nothing: what it finds
//! goes to the worker, which is never kept waiting by it. It gives way to everybody else who wants to compute.

use std::{
    io,
    path::{Path, PathBuf},
    sync::{
        Arc,
        mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel},
    },
    thread,
    time::{Duration, Instant},
};

use rustix::fs::{Mode, OFlags};

use super::{
    asks::Asks,
    current::Current,
    messages::{Ask, Found},
};
use crate::credential::{Contents, Places, ScanLimits, homes};

/// How much the thread gives way.
const NICE: i32 = 10;

/// Starts the thread, which begins with a search. What is sent has it search anew; it ends when the sender is dropped.
pub(super) fn start(
    catalogue: Current,
    extra_homes: Vec<PathBuf>,
    interval: Duration,
    found: Asks,
) -> io::Result<SyncSender<()>> {
    let (wake, woken) = sync_channel(1);
    let search = Search {
        catalogue,
        extra_homes,
        interval,
        found,
        contents: Contents::default(),
    };
    thread::Builder::new()
        .name("claviger-search".into())
        .spawn(move || search.run(&woken))?;
    Ok(wake)
}

struct Search {
    catalogue: Current,
    extra_homes: Vec<PathBuf>,
    interval: Duration,
    found: Asks,
    contents: Contents,
}

impl Search {
    fn run(mut self, woken: &Receiver<()>) {
        // Nothing but speed hangs on it.
        let _as_it_was = rustix::process::setpriority_process(None, NICE);
        loop {
            if let Some(found) = self.search()
                && !self.found.send(Ask::Found(found))
            {
                return;
            }
            let next = Instant::now() + self.interval;
            match woken.recv_timeout(next.saturating_duration_since(Instant::now())) {
                Ok(()) | Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    fn search(&mut self) -> Option<Found> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let root = rustix::fs::open("/", flags, Mode::empty()).ok()?;
        let mountinfo = std::fs::read("/proc/self/mountinfo").ok()?;
        let homes = homes(Path::new("/"), &self.extra_homes);
        let places = Places::for_search(&self.catalogue.get(), homes);
        let mut found = places
            .map(|places| places.scan_root(&root, &mountinfo, &ScanLimits::of_search()))
            .unwrap_or_default();
        self.contents.narrow(&root, &mut found, &|_| {});
        let root = Arc::new(root);
        Some(Found::Anywhere { root, found })
    }
}
