//! The thread that looks up where programs lie, where that may have to wait for a disk. Hands of its own do it, so a file system that does not answer
//! keeps nothing else from being looked up, and nobody waits for a scan.
//!
//! At most [`WAITING_MAX`] are asked for at once, each once; beyond, an event goes out saying that its program was not looked up in time.

use std::{
    collections::HashSet,
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

/// Why looks are given up.
pub(super) const GIVEN_UP: [&str; 3] = ["too_many", "does_not_answer", "too_late"];

/// Looks that were given up, each in its place of [`GIVEN_UP`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct GivenUp {
    /// Not asked for: as many were under way as there may be.
    pub too_many: u64,
    /// The file system did not answer.
    pub does_not_answer: u64,
    /// An event went out before it was known, each such event counted.
    pub too_late: u64,
}

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
    /// What is asked for and not known yet: every event of a process asks for the same.
    under_way: HashSet<Sought>,
    /// What was given up here.
    given_up: GivenUp,
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
        Ok(Self::new(wanted, placed))
    }

    fn new(wanted: SyncSender<Sought>, placed: mpsc::Receiver<Placed>) -> Self {
        Self {
            wanted,
            under_way: HashSet::new(),
            given_up: GivenUp::default(),
            placed,
        }
    }

    /// Has a place looked up, where it is not being already; false where too many are.
    pub(super) fn ask(&mut self, sought: &Sought) -> bool {
        if self.under_way.contains(sought) {
            return true;
        }
        if self.under_way.len() >= WAITING_MAX || self.wanted.try_send(sought.clone()).is_err() {
            self.given_up.too_many += 1;
            return false;
        }
        self.under_way.insert(sought.clone());
        true
    }

    /// It came out of `placed`.
    pub(super) fn known(&mut self, placed: &Placed) {
        self.under_way.remove(&placed.sought);
        self.given_up.does_not_answer += u64::from(placed.place.is_hung());
    }

    /// How many are asked for and not known yet.
    pub(super) fn under_way(&self) -> usize {
        self.under_way.len()
    }

    /// What was given up, with so many events that went out before.
    pub(super) fn given_up(&self, too_late: u64) -> GivenUp {
        GivenUp {
            too_late,
            ..self.given_up
        }
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

#[cfg(test)]
mod tests {
    use claviger_sensor_common::TaskSnapshot;
    use zerocopy::FromZeros as _;

    use super::*;
    use crate::decode::Task;

    #[test]
    fn what_is_under_way_is_not_asked_for_again_and_is_bounded() {
        let (wanted, asked) = sync_channel(WAITING_MAX);
        let (_told, placed) = mpsc::channel(1);
        let mut placing = Placing::new(wanted, placed);
        let task = Task::from(&TaskSnapshot::new_zeroed());
        let sought = |inode: usize| Sought::of(&task, "/usr/bin/aws", (1, inode as u64));
        for _ in 0..=WAITING_MAX {
            assert!(placing.ask(&sought(0)));
        }
        assert_eq!(asked.try_iter().count(), 1);
        let known = |inode, place| Placed {
            sought: sought(inode),
            place,
        };
        placing.known(&known(0, Place::not_yet()));
        assert_eq!(
            (placing.under_way(), placing.given_up(0)),
            (0, GivenUp::default())
        );
        for inode in 0..WAITING_MAX {
            assert!(placing.ask(&sought(inode)));
        }
        assert_eq!(asked.try_iter().count(), WAITING_MAX);
        assert!(!placing.ask(&sought(WAITING_MAX)), "none of them is known yet");
        assert!(placing.ask(&sought(0)));
        placing.known(&known(0, Place::hangs()));
        assert!(placing.ask(&sought(WAITING_MAX)));
        let given_up = GivenUp {
            too_many: 1,
            does_not_answer: 1,
            too_late: 3,
        };
        assert_eq!(
            (placing.under_way(), placing.given_up(3)),
            (WAITING_MAX, given_up)
        );
    }
}
