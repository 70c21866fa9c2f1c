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
    /// Somebody removes the spool while it is open.
    RemoveOpen,
    /// Somebody removes the spool between two runs; with the flag, also what says where the chain stands.
    RemoveClosed(bool),
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
        1 => Just(Action::RemoveOpen),
        1 => any::<bool>().prop_map(Action::RemoveClosed),
    ]
}

/// What must hold of a batch that went in.
#[derive(Debug, Clone)]
struct Kept {
    sealed: Sealed,
    /// Whether `append` returned.
    returned: bool,
    /// Whether it was removed with what says that it was there.
    may_be_untold: bool,
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
    /// So long ago the host was booted, in microseconds: longer than events were sealed.
    since_boot: u64,
    /// The highest sequence of this boot of which `append` returned.
    highest: u64,
    /// Whether the disk may refuse to take a ledger.
    disk_is_bad: bool,
    /// How often it was told that the spool was removed.
    removals: u64,
    /// Whether the anchor could not be written, or the disk may have lost what it was not synced with.
    anchor_is_old: bool,
}

impl World {
    fn spool(&mut self) -> &mut Spool<MemoryFs> {
        self.spool.as_mut().expect("open")
    }

    /// A disk that took no ledger after a removal has what is lost in memory only.
    fn excuse_unwritten(&mut self) {
        if !self.disk_is_bad {
            return;
        }
        let removed = |lost: &&Lost| lost.reason == LossReason::SpoolRemoved;
        let ranges: Vec<LostRange> = self
            .spool()
            .losses
            .all()
            .filter(removed)
            .filter_map(|lost| lost.range)
            .collect();
        for range in ranges {
            for sequence in range.first_sequence..=range.last_sequence {
                self.lost.insert((range.boot_id, sequence));
            }
        }
    }

    /// The process ends, and starts again.
    fn reopen(&mut self) {
        self.excuse_unwritten();
        self.spool = None;
        self.fs.end_process();
        self.open();
    }

    /// The power goes away and comes back.
    fn reboot(&mut self) {
        self.excuse_unwritten();
        self.spool = None;
        self.fs.restart(&mut self.choices);
        self.boot += 1;
        (self.since_boot, self.highest) = (0, 0);
        self.anchor_is_old = true;
        self.open();
    }

    fn open(&mut self) {
        self.fs.set_capacity(None);
        let most = self.since_boot;
        self.spool = Some(open_anchored(&self.fs, &self.config, boot(self.boot), most).0);
    }

    /// Removes the spool, and tells nothing less than that it was.
    fn remove(&mut self, is_open: bool, anchor_too: bool) {
        self.note_losses();
        let had_any = self.kept.iter().any(|kept| kept.returned);
        let untold: u64 = self.spool().losses.all().map(|lost| lost.events).sum();
        let offered = waiting(self.spool());
        let waits = offered
            .iter()
            .map(|batch| batch.mark.last_sequence() - batch.first_sequence + 1)
            .sum::<u64>();
        if !is_open {
            self.spool = None;
            self.fs.end_process();
        }
        self.fs.remove_all(&dir());
        if anchor_too {
            self.fs.remove_all(Path::new("/identity"));
        }
        if !is_open {
            self.open();
        }
        // Whoever removes both, or what was not synced, leaves a bound and no numbers.
        if !is_open && (anchor_too || self.anchor_is_old) {
            for kept in &mut self.kept {
                kept.may_be_untold = true;
            }
        }
        // What waited of an earlier boot, and what was lost before and not told, is counted, and not named.
        let (current, offered) = (boot(self.boot), digests(&offered));
        for kept in &mut self.kept {
            let is_named = kept.sealed.boot_id == current && offered.contains(&kept.sealed.digest);
            kept.may_be_untold |= !is_open && !is_named;
        }
        let before = self.removals;
        if !is_open && !anchor_too && !self.anchor_is_old && had_any {
            let lost: u64 = self.spool().losses.all().map(|lost| lost.events).sum();
            assert_eq!(lost, waits + untold, "not as many as waited");
        }
        self.append(1, 200);
        self.note_losses();
        let returned = self.kept.last().is_some_and(|kept| kept.returned);
        // Of an open one without a segment there is nothing to miss.
        if returned && had_any && !is_open {
            assert!(self.removals > before, "a spool is gone and nobody says so");
        }
    }

    fn append(&mut self, events: u64, size: usize) {
        let boot = boot(self.boot);
        let chain = chain_of(self.spool(), boot);
        let sealed = sealed(chain, events, size);
        let returned = self.spool().append(&sealed).is_ok();
        if returned {
            assert!(
                sealed.first_sequence > self.highest,
                "sequence {} of boot {boot} was given twice",
                sealed.first_sequence
            );
            self.highest = sealed.last_sequence;
            self.anchor_is_old = !self.spool().is_anchored();
            assert_eq!(
                self.spool().chain_state(),
                Some(ChainState::after(boot, sealed.last_sequence, sealed.digest))
            );
        }
        self.kept.push(Kept {
            sealed,
            returned,
            may_be_untold: false,
        });
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
            self.removals += u64::from(lost.reason == LossReason::SpoolRemoved);
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
                    self.maybe_acknowledged.contains(&digest)
                        || kept.may_be_untold
                        || self.is_lost(&kept.sealed),
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
        let fs = enrolled();
        let config = config(max_bytes, 2_000, when_full);
        let spool = Some(open_anchored(&fs, &config, boot(1), 0).0);
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
            since_boot: 0,
            highest: 0,
            removals: 0,
            disk_is_bad: false,
            anchor_is_old: false,
        };
        let mut power = None;
        for action in actions {
            world.since_boot += 1_000;
            match action {
                Action::Append(events, size) => world.append(events, size),
                Action::Acknowledge(count) if power.is_none() => world.acknowledge(count),
                Action::Acknowledge(_) => {}
                Action::TellLosses => {
                    world.note_losses();
                    world.append(1, 200);
                }
                Action::Reopen if power.is_none() => world.reopen(),
                Action::Reopen => {
                    power = None;
                    world.reboot();
                }
                Action::CutPower(operations, cut_seed) => {
                    world.fs.cut_power_after(operations);
                    world.choices = Choices::new(cut_seed);
                    power = Some(2);
                }
                Action::Room(left) => {
                    world.disk_is_bad |= left.is_some();
                    let used = world.fs.used_bytes();
                    world.fs.set_capacity(left.map(|left| used + left));
                }
                Action::SyncFails => {
                    world.disk_is_bad = true;
                    world.fs.fail_next_sync();
                }
                Action::Boot => {
                    power = None;
                    world.reboot();
                }
                Action::RemoveOpen if power.is_none() => world.remove(true, false),
                Action::RemoveClosed(anchor_too) if power.is_none() => world.remove(false, anchor_too),
                Action::RemoveOpen | Action::RemoveClosed(_) => {}
            }
            // Two appends or so while the power goes away, then it comes back.
            match power {
                Some(0) => {
                    power = None;
                    world.reboot();
                    world.check();
                }
                Some(left) => power = Some(left - 1),
                None => world.check(),
            }
        }
        if power.is_some() {
            world.reboot();
        }
        world.reopen();
        world.check();
    }
}
