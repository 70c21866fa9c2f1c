use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

#[derive(Debug, Clone)]
enum Action {
    /// Appends a batch of so many events and bytes.
    Append(u64, usize),
    /// Acknowledges this many of those that wait.
    Acknowledge(usize),
    /// Takes the losses and tells them with a batch.
    TellLosses,
    /// The process ends and starts again.
    Reopen,
    /// The power is cut so many file operations from now, and comes back when something failed for it.
    CutPower(u64, u64),
    /// The disk has so many bytes left, or room enough.
    Room(Option<u64>),
    /// The next sync fails.
    SyncFails,
    /// The host boots.
    Boot,
}

fn action() -> impl Strategy<Value = Action> {
    prop_oneof![
        12 => (1..5_u64, 150..900_usize).prop_map(|(events, size)| Action::Append(events, size)),
        4 => (1..8_usize).prop_map(Action::Acknowledge),
        2 => Just(Action::TellLosses),
        2 => Just(Action::Reopen),
        4 => (0..14_u64, any::<u64>()).prop_map(|(operations, seed)| Action::CutPower(operations, seed)),
        2 => prop_oneof![1 => (0..600_u64).prop_map(Some), 2 => Just(None)].prop_map(Action::Room),
        1 => Just(Action::SyncFails),
        1 => Just(Action::Boot),
    ]
}

/// What must hold of a batch that went in.
#[derive(Debug, Clone)]
struct Kept {
    sealed: Sealed,
    /// Whether `append` returned.
    returned: bool,
}

struct World {
    fs: MemoryFs,
    config: SpoolConfig,
    spool: Option<Spool<MemoryFs>>,
    boot: u8,
    /// All that went in, in order.
    kept: Vec<Kept>,
    /// Digests whose acknowledgement returned.
    acknowledged: BTreeSet<[u8; 32]>,
    /// Digests whose acknowledgement was tried.
    maybe_acknowledged: BTreeSet<[u8; 32]>,
    /// Sequences that were told as lost.
    lost: BTreeSet<(BootId, u64)>,
    choices: Choices,
}

impl World {
    fn spool(&mut self) -> &mut Spool<MemoryFs> {
        self.spool.as_mut().expect("open")
    }

    fn reopen(&mut self) {
        self.spool = None;
        self.fs.restart(&mut self.choices);
        self.fs.set_capacity(None);
        self.spool = Some(open(&self.fs, &self.config).0);
    }

    fn append(&mut self, events: u64, size: usize) {
        let boot = boot(self.boot);
        let chain = chain_of(self.spool(), boot);
        let sealed = sealed(chain, events, size);
        let returned = self.spool().append(&sealed).is_ok();
        if returned {
            assert_eq!(
                self.spool().chain_state(),
                Some(ChainState::after(boot, sealed.last_sequence, sealed.digest))
            );
        }
        self.kept.push(Kept { sealed, returned });
    }

    fn acknowledge(&mut self, count: usize) {
        let offered = waiting(self.spool());
        let Some(last) = offered.get(count.min(offered.len()).wrapping_sub(1)) else {
            return;
        };
        let mark = last.mark;
        let result = self.spool().acknowledge(&mark);
        for batch in &offered[..count.min(offered.len())] {
            self.maybe_acknowledged.insert(*batch.mark.digest());
            if result.is_ok() {
                self.acknowledged.insert(*batch.mark.digest());
            }
        }
    }

    fn note_losses(&mut self) {
        for lost in self.spool().take_lost() {
            let Some(range) = lost.range else { continue };
            for sequence in range.first_sequence..=range.last_sequence {
                self.lost.insert((range.boot_id, sequence));
            }
        }
    }

    fn is_lost(&self, sealed: &Sealed) -> bool {
        (sealed.first_sequence..=sealed.last_sequence)
            .all(|sequence| self.lost.contains(&(sealed.boot_id, sequence)))
    }

    /// The invariants of the module, seen from outside.
    fn check(&mut self) {
        let batches = waiting(self.spool());
        let mut place: Option<(BootId, u64)> = None;
        for batch in &batches {
            let first = batch.first_sequence;
            if let Some((boot, last)) = place.filter(|(boot, _)| *boot == batch.mark.boot_id()) {
                assert!(first > last, "sequence {first} of boot {boot} was given twice");
            }
            place = Some((batch.mark.boot_id(), batch.mark.last_sequence()));
        }
        let offered = digests(&batches);
        self.note_losses();
        let mut at = 0;
        for kept in &self.kept {
            let digest = kept.sealed.digest;
            let is_offered = offered.get(at) == Some(&digest);
            if is_offered {
                at += 1;
                assert!(
                    !self.acknowledged.contains(&digest),
                    "an acknowledged batch is offered again"
                );
            } else if kept.returned {
                assert!(
                    self.maybe_acknowledged.contains(&digest) || self.is_lost(&kept.sealed),
                    "a batch is gone: {:?}",
                    kept.sealed
                );
            }
        }
        assert_eq!(
            at,
            offered.len(),
            "offered in another order, or something that never went in"
        );
        let waiting_batches = self.spool().waiting_batches();
        assert_eq!(waiting_batches, offered.len() as u64);
    }
}

proptest! {
    #[test]
    fn nothing_appended_is_lost_silently_and_nothing_acknowledged_comes_again(
        actions in prop::collection::vec(action(), 1..60),
        max_bytes in prop_oneof![Just(5_000_u64), Just(9_000), Just(1 << 20)],
        newest in any::<bool>(),
        seed: u64,
    ) {
        let when_full = if newest { WhenFull::DropNewest } else { WhenFull::DropOldest };
        let fs = MemoryFs::default();
        let config = config(max_bytes, 2_000, when_full);
        let spool = Some(open(&fs, &config).0);
        let mut world = World {
            fs,
            config,
            spool,
            boot: 1,
            kept: Vec::new(),
            acknowledged: BTreeSet::new(),
            maybe_acknowledged: BTreeSet::new(),
            lost: BTreeSet::new(),
            choices: Choices::new(seed),
        };
        let mut power = None;
        for action in actions {
            match action {
                Action::Append(events, size) => world.append(events, size),
                Action::Acknowledge(count) if power.is_none() => world.acknowledge(count),
                Action::Acknowledge(_) => {}
                Action::TellLosses => {
                    world.note_losses();
                    world.append(1, 200);
                }
                Action::Reopen => {
                    power = None;
                    world.reopen();
                }
                Action::CutPower(operations, cut_seed) => {
                    world.fs.cut_power_after(operations);
                    world.choices = Choices::new(cut_seed);
                    power = Some(2);
                }
                Action::Room(left) => {
                    let used = world.fs.used_bytes();
                    world.fs.set_capacity(left.map(|left| used + left));
                }
                Action::SyncFails => world.fs.fail_next_sync(),
                Action::Boot => {
                    power = None;
                    world.boot += 1;
                    world.reopen();
                }
            }
            // Two appends or so while the power goes away, then it comes back.
            match power {
                Some(0) => {
                    power = None;
                    world.reopen();
                    world.check();
                }
                Some(left) => power = Some(left - 1),
                None => world.check(),
            }
        }
        world.reopen();
        world.check();
    }
}
