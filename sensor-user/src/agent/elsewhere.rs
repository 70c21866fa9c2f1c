//! The thread that looks into the roots of containers, and of services that see another tree, by hands of its own: where one of them hangs, it goes on
//! with the others. It opens and reads, but labels nothing: what it finds goes to the worker.
//!
//! - Roots are looked into as soon as a process is met in a mount namespace that is new, and again every [`EVERY`].
//! - Which block devices their file systems are on is kept for whoever is told of one that was opened ([`MountedElsewhere`]).

use std::{
    collections::HashSet,
    io,
    path::Path,
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel},
    },
    thread,
    time::{Duration, Instant},
};

use claviger_proto::catalogue::Catalogue;

use super::{
    asks::Asks,
    current::Current,
    hands::{Hands, Hangs},
    messages::{Ask, Found},
    roots::{Reached, Root, Roots},
};
use crate::attribute::{DeviceNumber, devices_of, is_mounted};
use crate::credential::{Contents, Home, Places, ScanLimits, ScanResult, homes_of, seen_through};

/// How often the roots that are known are looked into again.
const EVERY: Duration = Duration::from_secs(30);

/// Between two looks at which roots there are, at least.
const PAUSE: Duration = Duration::from_millis(50);

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
}

/// Starts the thread, which begins with a look at everything. What is sent has it look again; it ends when the sender is dropped.
pub(super) fn start(
    catalogue: Current,
    found: Asks,
    hands: Hands,
    mounted: MountedElsewhere,
) -> io::Result<SyncSender<()>> {
    let (wake, woken) = sync_channel(1);
    let now = Instant::now();
    let state = State {
        looked_for: catalogue.get(),
        catalogue,
        found,
        contents: Contents::default(),
        roots: Roots::default(),
        hands,
        mounted,
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
    hands: Hands,
    mounted: MountedElsewhere,
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
        let hands = &mut self.hands;
        let seen = self
            .roots
            .look_by(|path, hold| match hands.run(path, move |_| hold()) {
                Ok(held) => held.map_or(Reached::Nothing, Reached::Root),
                Err(_) => Reached::Hangs,
            });
        self.mounted
            .set(seen.roots.iter().map(|root| root.mountinfo.as_slice()));
        self.hand_over(Found::Roots {
            gone: seen.gone,
            left_out: seen.left_out,
        })?;
        for root in seen.roots {
            if !all && !root.is_new {
                continue;
            }
            let root = Arc::new(root);
            let Some((homes, found)) = self.look_into(&root, &catalogue) else {
                continue;
            };
            self.hand_over(Found::Below {
                id: root.id,
                root: Arc::clone(&root.directory),
                path: root.path.clone(),
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

    /// What lies in a root. Where something hangs, anew without it; nothing where the root itself does. What was found in it before stays labelled.
    fn look_into(&mut self, root: &Arc<Root>, catalogue: &Arc<Catalogue>) -> Option<(Vec<Home>, ScanResult)> {
        while !self.hands.avoids(&root.path) {
            let (below, catalogue) = (Arc::clone(root), Arc::clone(catalogue));
            let mut contents = std::mem::take(&mut self.contents);
            let looked = self.hands.run(&root.path, move |progress| {
                let step = |path: &Path| progress.step(&seen_through(&below.path, path));
                let homes = homes_of(&below.directory, &below.mountinfo, &step);
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
