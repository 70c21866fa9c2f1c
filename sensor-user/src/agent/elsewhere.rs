//! The thread that looks into the roots of containers, and of services that see another tree, by hands of its own: where one of them hangs, it goes on
//! with the others. It opens and reads, but labels nothing: what it finds goes to the worker.
//!
//! - A root is looked into as soon as a program is started in it and it is new, some times more in the two seconds that follow, the same after something
//!   was mounted in its mount namespace, and every [`EVERY`].
//! - Which block devices their file systems are on is kept for whoever is told of one that was opened ([`MountedElsewhere`]).

mod met;
mod soon;

use std::{
    collections::HashSet,
    convert::Infallible,
    io,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, RecvTimeoutError, SyncSender, TryRecvError, TrySendError, sync_channel},
    },
    thread,
    time::{Duration, Instant},
};

use claviger_proto::catalogue::Catalogue;

pub(super) use met::MET_MAX;
use met::Met;
use soon::{First, Soon};

use super::{
    asks::Asks,
    current::Current,
    hands::{Hands, Hangs},
    messages::{Ask, Found},
    roots::{OfProcess, Root, Roots},
};
use crate::attribute::{DeviceNumber, devices_of, is_mounted};
use crate::credential::{Contents, Home, Places, ScanLimits, ScanResult, homes_of, seen_through};
use crate::decode::{ProcessKey, RootId};

/// How often the roots that are known are looked into again.
const EVERY: Duration = Duration::from_secs(30);

/// What waits for the thread to be taken up. Beyond, all processes are looked through.
const WAKES_MAX: usize = 256;

/// Between two times that it is said that there is more to look into than is looked into at once.
const SAY_EVERY: Duration = Duration::from_secs(60);

/// Block devices of all roots that are kept. At the bound further ones are left out.
const DEVICES_MAX: usize = 4_096;

/// The block devices that file systems of other mount namespaces are on, as of the last look.
#[derive(Clone, Default)]
pub(super) struct MountedElsewhere(Arc<Mutex<HashSet<DeviceNumber>>>);

impl MountedElsewhere {
    /// Whether a block device, by its `st_rdev`, is mounted here or there.
    pub(super) fn or_here(&self, device: u64) -> bool {
        is_mounted(device, &self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn set<'a>(&self, mountinfos: impl Iterator<Item = &'a [u8]>) {
        let devices = devices_of(mountinfos).take(DEVICES_MAX).collect();
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = devices;
    }

    fn add(&self, mountinfo: &[u8]) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let room = DEVICES_MAX.saturating_sub(known.len());
        let new: Vec<_> = devices_of([mountinfo])
            .filter(|device| !known.contains(device))
            .take(room)
            .collect();
        known.extend(new);
    }
}

/// Why the thread is woken.
#[derive(Clone, Copy)]
enum Wake {
    /// Something began in the root of a process.
    First(First),
    /// The catalogue is another.
    All,
}

/// The thread, for those who know when it is to look.
pub(super) struct Elsewhere {
    wake: SyncSender<Wake>,
    met: Met,
    /// Somebody found no room for what he had to tell.
    has_missed: Arc<AtomicBool>,
}

impl Elsewhere {
    /// A process started a program, and this is its root.
    pub(super) fn started_in(&self, process: ProcessKey, root: RootId) {
        if self.met.is_new(root) {
            self.send(First {
                pid: process.pid,
                root: Some(root),
                namespace: root.namespace,
            });
        }
    }

    /// A process in another mount namespace has mounted something.
    pub(super) fn mounted_by(&self, process: ProcessKey, namespace: u32) {
        self.send(First {
            pid: process.pid,
            root: None,
            namespace,
        });
    }

    /// Has it look into all roots.
    pub(super) fn look(&self) {
        // Where there is no room it looks through all anyway.
        if let Err(TrySendError::Full(_)) = self.wake.try_send(Wake::All) {
            self.has_missed.store(true, Ordering::Release);
        }
    }

    /// In how many roots a program was seen to start.
    pub(super) fn met(&self) -> usize {
        self.met.len()
    }

    /// How many trees were not looked into in time since this was asked last.
    pub(super) fn take_missed(&self) -> u64 {
        self.met.take_missed()
    }

    fn send(&self, first: First) {
        if let Err(TrySendError::Full(_)) = self.wake.try_send(Wake::First(first)) {
            if let Some(root) = first.root {
                self.met.forget(root);
            }
            self.has_missed.store(true, Ordering::Release);
        }
    }
}

/// Starts the thread, which begins with a look at everything. It ends when what is returned is dropped.
pub(super) fn start(
    catalogue: Current,
    extra_homes: Vec<PathBuf>,
    found: Asks,
    hands: Hands,
    mounted: MountedElsewhere,
) -> io::Result<Elsewhere> {
    let (wake, woken) = sync_channel(WAKES_MAX);
    let now = Instant::now();
    let (met, has_missed) = (Met::default(), Arc::new(AtomicBool::new(false)));
    let state = State {
        looked_for: catalogue.get(),
        catalogue,
        extra_homes: extra_homes.into(),
        found,
        contents: Contents::default(),
        roots: Roots::default(),
        hands,
        mounted,
        met: met.clone(),
        has_missed: Arc::clone(&has_missed),
        soon: Soon::new(now),
        next: now,
        next_all: now,
        said: None,
    };
    thread::Builder::new()
        .name("claviger-roots".into())
        .spawn(move || {
            // It ends where nobody wants to know any more.
            let Err(Unwanted) = state.run(&woken);
        })?;
    Ok(Elsewhere {
        wake,
        met,
        has_missed,
    })
}

/// Nobody wants to know any more.
struct Unwanted;

struct State {
    catalogue: Current,
    /// The catalogue of the last look at all.
    looked_for: Arc<Catalogue>,
    extra_homes: Arc<[PathBuf]>,
    found: Asks,
    contents: Contents,
    roots: Roots,
    hands: Hands,
    mounted: MountedElsewhere,
    met: Met,
    has_missed: Arc<AtomicBool>,
    soon: Soon,
    /// When it is looked next which roots there are.
    next: Instant,
    /// When the roots that are known are looked into next.
    next_all: Instant,
    /// When it was said last that there is too much to look into.
    said: Option<Instant>,
}

impl State {
    fn run(mut self, woken: &Receiver<Wake>) -> Result<Infallible, Unwanted> {
        loop {
            self.take_up(woken)?;
            let now = Instant::now();
            if now >= self.next {
                self.look(woken)?;
            } else if !self.look_at_first()? && !self.look_again()? {
                let due = self.soon.due(now).map_or(self.next, |due| due.min(self.next));
                match woken.recv_timeout(due.saturating_duration_since(Instant::now())) {
                    Ok(wake) => self.take(wake),
                    Err(RecvTimeoutError::Timeout) => {}
                    Err(RecvTimeoutError::Disconnected) => return Err(Unwanted),
                }
            }
        }
    }

    /// Takes up what waits, without looking at anything.
    fn take_up(&mut self, woken: &Receiver<Wake>) -> Result<(), Unwanted> {
        loop {
            match woken.try_recv() {
                Ok(wake) => self.take(wake),
                Err(TryRecvError::Empty) => break,
                Err(TryRecvError::Disconnected) => return Err(Unwanted),
            }
        }
        let now = Instant::now();
        if self.has_missed.swap(false, Ordering::AcqRel) {
            self.next = self.next.min(self.soon.ready(now));
        }
        if self.soon.is_behind(now) && self.said.is_none_or(|said| now >= said + SAY_EVERY) {
            self.said = Some(now);
            tracing::warn!(
                "so many containers or services start that credentials in some of them are watched later than they start"
            );
        }
        Ok(())
    }

    fn take(&mut self, wake: Wake) {
        match wake {
            Wake::All => self.next = Instant::now(),
            Wake::First(first) => {
                if !self.soon.push(first) {
                    if let Some(root) = first.root {
                        self.met.forget(root);
                    }
                    self.has_missed.store(true, Ordering::Release);
                }
            }
        }
    }

    /// Looks which roots there are, and into those that are new or, when it is time, into all. Who begins meanwhile comes before the others.
    fn look(&mut self, woken: &Receiver<Wake>) -> Result<(), Unwanted> {
        let catalogue = self.catalogue.get();
        let begun = Instant::now();
        let all = begun >= self.next_all || !Arc::ptr_eq(&catalogue, &self.looked_for);
        self.looked_for = Arc::clone(&catalogue);
        let seen = self.roots.look_by(&mut self.hands);
        self.mounted
            .set(seen.roots.iter().map(|root| root.mountinfo.as_slice()));
        self.met.keep(begun, |root| {
            seen.namespaces.contains(&root.namespace) && !seen.left.contains(&root.namespace)
        });
        for id in &seen.gone {
            self.soon.forget(*id);
        }
        self.hand_over(Found::Roots {
            gone: seen.gone,
            left_out: seen.left_out,
        })?;
        if !all {
            self.soon.took(begun.elapsed(), Instant::now());
        }
        for root in seen.roots {
            self.take_up(woken)?;
            while self.look_at_first()? {
                self.take_up(woken)?;
            }
            if root.is_new {
                let begun = Instant::now();
                self.soon.began(root.id, root.pid, begun);
                self.find_in(root)?;
                if !all {
                    self.soon.took(begun.elapsed(), Instant::now());
                }
            } else if all {
                self.find_in(root)?;
            }
        }
        if all {
            self.next_all = Instant::now() + EVERY;
        }
        self.next = self.next_all;
        Ok(())
    }

    /// Looks into the root of the process that waits for longest; false where none does, or none may now.
    fn look_at_first(&mut self) -> Result<bool, Unwanted> {
        let begun = Instant::now();
        let Some(First {
            pid,
            root: met,
            namespace,
        }) = self.soon.first(begun)
        else {
            return Ok(false);
        };
        match self.roots.of_process(pid, &mut self.hands) {
            OfProcess::Root(root) if let Some(met) = met => {
                self.met.looked_into(met, begun);
                self.soon.began(root.id, pid, begun);
                self.find_in(root)?;
            }
            OfProcess::Root(root) => self.soon.goes_on(root.id, pid, begun),
            OfProcess::Own | OfProcess::Hangs => {}
            OfProcess::Gone => match met {
                Some(root) => self.met.forget(root),
                // What it mounted is there for others; `mount` ends as soon as it has.
                None => {
                    for id in self.roots.in_namespace(namespace) {
                        self.soon.goes_on(id, pid, begun);
                    }
                }
            },
            // Some of those that are held may be gone.
            OfProcess::NoRoom => self.has_missed.store(true, Ordering::Release),
        }
        self.soon.took(begun.elapsed(), Instant::now());
        Ok(true)
    }

    /// Looks into a root again in which something began a while ago; false where none is due.
    fn look_again(&mut self) -> Result<bool, Unwanted> {
        let begun = Instant::now();
        let Some((id, pid)) = self.soon.again(begun) else {
            return Ok(false);
        };
        match self.roots.again(id, pid, &mut self.hands) {
            Some(root) => self.find_in(root)?,
            None => self.soon.forget(id),
        }
        self.soon.took(begun.elapsed(), Instant::now());
        Ok(true)
    }

    /// Tells what lies in a root.
    fn find_in(&mut self, root: Root) -> Result<(), Unwanted> {
        self.mounted.add(&root.mountinfo);
        let root = Arc::new(root);
        let catalogue = self.catalogue.get();
        let Some((homes, found)) = self.look_into(&root, &catalogue) else {
            return Ok(());
        };
        self.hand_over(Found::Below {
            catalogue,
            id: root.id,
            root: Arc::clone(&root.directory),
            path: root.path.clone(),
            homes,
            found,
        })
    }

    /// What lies in a root. Where something hangs, anew without it; nothing where the root itself does. What was found in it before stays labelled.
    fn look_into(&mut self, root: &Arc<Root>, catalogue: &Arc<Catalogue>) -> Option<(Vec<Home>, ScanResult)> {
        while !self.hands.avoids(&root.path) {
            let (below, catalogue) = (Arc::clone(root), Arc::clone(catalogue));
            let extra_homes = Arc::clone(&self.extra_homes);
            let mut contents = std::mem::take(&mut self.contents);
            let looked = self.hands.run(&root.path, move |progress| {
                let step = |path: &Path| progress.step(&seen_through(&below.path, path));
                let homes = homes_of(&below.directory, &below.mountinfo, &extra_homes, &step);
                let places = Places::new(&catalogue, homes.clone());
                let limits = ScanLimits::default();
                let mut found = places.scan_root(&below.directory, &below.mountinfo, &limits, &step);
                contents.narrow(&below.directory, &mut found, &step);
                let overlays = found.overlays(&below.mountinfo);
                found.add_upper_layers(&below.directory, &overlays, &step);
                (contents, homes, found)
            });
            match looked {
                Ok((contents, homes, found)) => {
                    self.contents = contents;
                    return Some((homes, found));
                }
                Err(Hangs::There) => {}
                Err(Hangs::NoThread) => return None,
            }
        }
        None
    }

    fn hand_over(&self, found: Found) -> Result<(), Unwanted> {
        if self.found.send(Ask::Found(found)) {
            Ok(())
        } else {
            Err(Unwanted)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_mounted_at_the_last_look_counts() {
        let device = rustix::fs::makedev(4_000, 9);
        let mounted = MountedElsewhere::default();
        assert!(!mounted.or_here(device));
        let mountinfo = &b"7 1 4000:9 / /srv rw - ext4 /dev/nobodys rw\n"[..];
        mounted.set([&b""[..], mountinfo].into_iter());
        assert!(mounted.or_here(device));
        mounted.set([].into_iter());
        assert!(!mounted.or_here(device));
    }
}
