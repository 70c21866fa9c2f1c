//! The thread that looks into the roots of containers, and of services that see another tree. Where one of them hangs, it hangs, and nobody else. It
//! opens and reads, but labels nothing: what it finds goes to the worker.
//!
//! - Roots are looked into as soon as a process is met in a mount namespace that is new, and again every [`EVERY`].

use std::{
    io,
    sync::{
        Arc,
        mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel},
    },
    thread,
    time::{Duration, Instant},
};

use claviger_proto::catalogue::Catalogue;

use super::{
    asks::Asks,
    current::Current,
    messages::{Ask, Found},
    roots::Roots,
};
use crate::credential::{Contents, Places, ScanLimits, homes_of};

/// How often the roots that are known are looked into again.
const EVERY: Duration = Duration::from_secs(30);

/// Between two looks at which roots there are, at least.
const PAUSE: Duration = Duration::from_millis(50);

/// Starts the thread, which begins with a look at everything. What is sent has it look again; it ends when the sender is dropped.
pub(super) fn start(catalogue: Current, found: Asks) -> io::Result<SyncSender<()>> {
    let (wake, woken) = sync_channel(1);
    let now = Instant::now();
    let state = State {
        looked_for: catalogue.get(),
        catalogue,
        found,
        contents: Contents::default(),
        roots: Roots::default(),
        next: now,
        next_all: now,
    };
    thread::Builder::new()
        .name("claviger-roots".into())
        .spawn(move || state.run(&woken))?;
    Ok(wake)
}

/// Nobody wants to know any more.
struct Unwanted;

struct State {
    catalogue: Current,
    /// The catalogue of the last look.
    looked_for: Arc<Catalogue>,
    found: Asks,
    contents: Contents,
    roots: Roots,
    /// When it is looked next which roots there are.
    next: Instant,
    /// When the roots that are known are looked into next.
    next_all: Instant,
}

impl State {
    fn run(mut self, woken: &Receiver<()>) {
        loop {
            if Instant::now() >= self.next && self.look().is_err() {
                return;
            }
            match woken.recv_timeout(self.next.saturating_duration_since(Instant::now())) {
                Ok(()) => self.next = self.next.min(Instant::now() + PAUSE),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    fn look(&mut self) -> Result<(), Unwanted> {
        let catalogue = self.catalogue.get();
        let all = Instant::now() >= self.next_all || !Arc::ptr_eq(&catalogue, &self.looked_for);
        self.looked_for = Arc::clone(&catalogue);
        let seen = self.roots.look();
        self.hand_over(Found::Roots {
            gone: seen.gone,
            left_out: seen.left_out,
        })?;
        for root in seen.roots {
            if !all && !root.is_new {
                continue;
            }
            let homes = homes_of(&root.directory, &root.mountinfo);
            let places = Places::new(&catalogue, homes.clone());
            let mut found = places.scan_root(&root.directory, &root.mountinfo, &ScanLimits::default());
            self.contents.narrow(&root.directory, &mut found, &|_| {});
            self.hand_over(Found::Below {
                id: root.id,
                root: Arc::new(root.directory),
                homes,
                found,
            })?;
        }
        if all {
            self.next_all = Instant::now() + EVERY;
        }
        self.next = self.next_all;
        Ok(())
    }

    fn hand_over(&self, found: Found) -> Result<(), Unwanted> {
        if self.found.send(Ask::Found(found)) {
            Ok(())
        } else {
            Err(Unwanted)
        }
    }
}
