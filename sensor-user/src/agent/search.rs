//! The thread that searches the whole host, now and then, for what can lie anywhere (`**/*.pem`). It opens and reads, but labels nothing: what it finds
//! goes to the worker, which is never kept waiting by it. It gives way to everybody else who wants to compute, and touches files by hands of its own.

use std::{
    collections::BTreeSet,
    io,
    os::fd::OwnedFd,
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
    hands::{Hands, Hangs},
    messages::{Ask, Found},
};
use crate::credential::{Contents, Held, Home, Places, ScanLimits, ScanResult, Way, homes};

/// How much the thread gives way.
const NICE: i32 = 10;

/// Starts the thread, which begins with a search. What is sent has it search anew; it ends when the sender is dropped.
pub(super) fn start(
    catalogue: Current,
    extra_homes: Vec<PathBuf>,
    interval: Duration,
    found: Asks,
    hands: Hands,
) -> io::Result<SyncSender<()>> {
    let (wake, woken) = sync_channel(1);
    let search = Search {
        catalogue,
        extra_homes,
        interval,
        found,
        hands,
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
    hands: Hands,
    contents: Contents,
}

impl Search {
    fn run(mut self, woken: &Receiver<()>) {
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

    /// Where something hangs, anew without it.
    fn search(&mut self) -> Option<Found> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let root = Arc::new(rustix::fs::open("/", flags, Mode::empty()).ok()?);
        let mountinfo: Arc<[u8]> = std::fs::read("/proc/self/mountinfo").ok()?.into();
        let catalogue = self.catalogue.get();
        while !self.hands.avoids(Path::new("/")) {
            let (below, mountinfo) = (Arc::clone(&root), Arc::clone(&mountinfo));
            let (by, extra) = (Arc::clone(&catalogue), self.extra_homes.clone());
            let mut contents = std::mem::take(&mut self.contents);
            let looked = self.hands.run(Path::new("/"), move |progress| {
                // Nothing but speed hangs on it.
                let _as_it_was = rustix::process::setpriority_process(None, NICE);
                let step = |path: &Path| progress.step(path);
                let homes = match step(Path::new("/home")) {
                    true => homes(Path::new("/"), &extra),
                    false => extra.iter().filter_map(|path| Home::new(path)).collect(),
                };
                let limits = ScanLimits::of_search();
                let mut found = Places::for_search(&by, homes)
                    .map(|places| places.scan_root(&below, &mountinfo, &limits, &step))
                    .unwrap_or_default();
                contents.narrow(&*below, &mut found, &step);
                found.ways = holders(&below, &found, &step);
                (contents, found)
            });
            match looked {
                Ok((contents, found)) => {
                    self.contents = contents;
                    return Some(Found::Anywhere {
                        catalogue,
                        root,
                        found,
                    });
                }
                Err(Hangs::There) => {}
                Err(Hangs::NoThread) => return None,
            }
        }
        None
    }
}

/// The directories that hold what was found: what appears there may be found too.
fn holders(root: &OwnedFd, found: &ScanResult, step: &dyn Fn(&Path) -> bool) -> Vec<Way> {
    let paths: BTreeSet<&Path> = found.files.iter().filter_map(|file| file.path.parent()).collect();
    let way = |path: &Path| {
        let held = step(path).then(|| Held::at(root, path).ok()).flatten()?;
        Some(Way {
            path: path.to_owned(),
            seen: held.seen(),
        })
    };
    paths.into_iter().filter_map(way).collect()
}
