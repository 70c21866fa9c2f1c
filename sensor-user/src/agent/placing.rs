//! The thread that looks up where programs lie, where that may have to wait for a disk. Hands of its own do it, so a file system that does not answer
//! keeps nothing else from being looked up, and nobody waits for a scan.
//!
//! At most [`WAITING_MAX`] are asked for at once; beyond, an event goes out saying that its program was not looked up in time.

use std::{
    io,
    path::Path,
    sync::mpsc::{Receiver, SyncSender, sync_channel},
    thread,
};

use tokio::sync::mpsc;

use super::hands::Hands;
use crate::attribute::{Place, Sought};

/// Programs whose place is asked for and not known yet.
pub(super) const WAITING_MAX: usize = 256;

/// A program whose place was looked up.
pub(super) struct Placed {
    /// Which.
    pub sought: Sought,
    /// Where it lies.
    pub place: Place,
}

/// The thread's ends; it ends when this is dropped.
pub(super) struct Placing {
    wanted: SyncSender<Sought>,
    /// What was looked up.
    pub placed: mpsc::Receiver<Placed>,
}

impl Placing {
    /// Starts the thread.
    pub(super) fn start() -> io::Result<Self> {
        let (wanted, sought) = sync_channel(WAITING_MAX);
        let (told, placed) = mpsc::channel(WAITING_MAX);
        thread::Builder::new()
            .name("claviger-placing".into())
            .spawn(move || run(&sought, &told, Hands::default()))?;
        Ok(Self { wanted, placed })
    }

    /// Has a place looked up; false where too many are.
    pub(super) fn ask(&self, sought: Sought) -> bool {
        self.wanted.try_send(sought).is_ok()
    }
}

fn run(wanted: &Receiver<Sought>, told: &mpsc::Sender<Placed>, mut hands: Hands) {
    for sought in wanted {
        // What has come back is touched again.
        hands.changed();
        let theirs = sought.clone();
        let looked = hands.run(Path::new(&sought.path), move |_| theirs.look(true));
        let place = looked.ok().and_then(Result::ok).unwrap_or_else(Place::hangs);
        if told.blocking_send(Placed { sought, place }).is_err() {
            return;
        }
    }
}
