//! Opening: from whatever is on the disk to a spool that keeps its invariants.

mod anchored;
mod misplaced;
mod segments;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io;
use std::path::Path;
use std::sync::Arc;

use super::anchor::{self, Anchor};
use super::error::{failed, is_disk_full};
use super::ledger::{Ledger, TEMPORARY_NAME};
use super::lost::{LossReason, Losses, Lost, LostRange};
use super::record::Meta;
use super::reserve::Reserve;
use super::scan::{Found, Tail, record_at, search, tail};
use super::segment::{self, HEADER_LEN, Segment};
use super::{FileSystem, Mark, Spool, SpoolError, SpoolFile as _};
use crate::clock::{Clock, unix_milliseconds};
use crate::config::Spool as SpoolConfig;
use crate::sign::{BootId, ChainState};

/// An event with its id takes more than this, encoded: so many bytes hold at most so many events.
const MIN_EVENT_BYTES: u64 = 64;

/// What was found at opening.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Recovery {
    /// Batches that wait for the detector.
    pub waiting_batches: u64,
    /// Bytes behind the last whole record that were cut off.
    pub cut_bytes: u64,
    /// Places where records are damaged or missing that were not known before.
    pub damaged_places: u64,
    /// How many of those are there because a segment is missing or is no regular file.
    pub missing_segments: u64,
    /// Segments that hold what comes before what another one before them holds, as when two were exchanged. They are set aside.
    pub misplaced_segments: u64,
    /// Whether the whole spool was removed, or what says where its chain stands.
    pub removed: bool,
    /// Whether it is of a sensor of before there were anchors, and has one from now on.
    pub upgraded: bool,
    /// Whether the ledger was damaged. Batches may then be offered that the detector has already.
    pub ledger_damaged: bool,
}

/// Whether there is no segment under a name: nothing, or something that is not read because it is no regular file.
pub(super) fn is_not_there(why: &io::Error) -> bool {
    matches!(why.kind(), io::ErrorKind::NotFound | io::ErrorKind::InvalidData)
}

/// What is missing between where the chain should go on and where it does; nothing where nothing is.
pub(super) fn lost_between(expected: &ChainState, found: &ChainState, now_ms: i64) -> Option<Lost> {
    if expected.previous_digest == found.previous_digest {
        return None;
    }
    let first_sequence = if expected.boot_id == found.boot_id {
        expected.next_sequence
    } else {
        1
    };
    let last_sequence = found.next_sequence.saturating_sub(1);
    let range = (first_sequence <= last_sequence).then_some(LostRange {
        boot_id: found.boot_id,
        first_sequence,
        last_sequence,
        last_digest: Some(found.previous_digest),
    });
    let events = if range.is_some() {
        last_sequence - first_sequence + 1
    } else {
        0
    };
    Some(Lost {
        range,
        ..Lost::unsequenced(LossReason::SpoolCorrupted, 0, events, now_ms)
    })
}

impl<F: FileSystem> Spool<F> {
    /// Opens the spool in a directory, made where it is not there, without an anchor: if it is removed, that is not missed.
    ///
    /// # Errors
    /// Where another process has it open, and where files cannot be read or written.
    pub fn open(
        fs: F,
        dir: &Path,
        config: &SpoolConfig,
        clock: Arc<dyn Clock>,
    ) -> Result<(Self, Recovery), SpoolError> {
        Self::open_anchored(fs, dir, config, clock, None)
    }

    /// The same with a file outside of the directory that tells where the chain stands.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_anchored(
        fs: F,
        dir: &Path,
        config: &SpoolConfig,
        clock: Arc<dyn Clock>,
        anchor: Option<Anchor>,
    ) -> Result<(Self, Recovery), SpoolError> {
        fs.create_dir_all(dir).map_err(failed("make", dir))?;
        let lock_path = dir.join("lock");
        let lock = fs
            .lock(&lock_path)
            .map_err(failed("lock", &lock_path))?
            .ok_or_else(|| SpoolError::InUse { dir: dir.to_owned() })?;
        let mut recovery = Recovery::default();
        let ledger = match Ledger::read(&fs, dir) {
            Ok(ledger) => ledger,
            Err(why) if why.kind() == io::ErrorKind::InvalidData => {
                recovery.ledger_damaged = true;
                None
            }
            Err(why) => return Err(failed("read the ledger in", dir)(why)),
        };
        let has_ledger = ledger.is_some();
        let mut ledger = ledger.unwrap_or_default();
        let found = match &anchor {
            Some(anchor) => Some(anchor.read(&fs).map_err(failed("read", &anchor.path))?),
            None => None,
        };
        let anchor_serial = match &found {
            Some(anchor::Found::At(anchored)) => {
                ledger.add(anchored, has_ledger, unix_milliseconds(clock.now()));
                anchored.serial
            }
            _ => 0,
        };
        let reserve = Reserve::make(&fs, dir);
        let spool = Self {
            fs,
            dir: dir.to_owned(),
            config: config.clone(),
            clock,
            _lock: lock,
            segments: VecDeque::new(),
            active: None,
            tail_is_clean: true,
            stray: None,
            next_number: 1,
            chain: None,
            acknowledged: ledger.acknowledged,
            first_segment: ledger.first_segment,
            losses: Losses::default(),
            totals: BTreeMap::new(),
            known_breaks: ledger.known_breaks.clone(),
            reserve,
            anchor,
            anchor_serial,
            anchor_due: true,
            anchor_failed: false,
            has_anchor: ledger.has_anchor
                || matches!(found, Some(anchor::Found::At(_) | anchor::Found::Unused)),
            removals: 0,
        };
        let mut walk = Walk {
            spool,
            ledger,
            has_ledger,
            found,
            is_removed: false,
            recovery,
            expected: None,
            left_boots: BTreeSet::new(),
            due: 1,
        };
        walk.run()?;
        walk.spool.write_anchor(false);
        if walk.recovery.upgraded {
            // At once: an anchor that goes missing from here on was removed.
            walk.save_unless_full()?;
        }
        walk.recovery.waiting_batches = walk.spool.waiting_batches();
        Ok((walk.spool, walk.recovery))
    }
}

/// One pass over all that is there.
struct Walk<F: FileSystem> {
    spool: Spool<F>,
    ledger: Ledger,
    has_ledger: bool,
    /// What the anchor says, where the spool has one.
    found: Option<anchor::Found>,
    /// Whether nothing is left of a spool that was there.
    is_removed: bool,
    recovery: Recovery,
    /// Where the chain stands as far as the pass has come.
    expected: Option<ChainState>,
    /// Boots that the pass has met the end of.
    left_boots: BTreeSet<BootId>,
    /// The lowest number that the next segment can have if none is missing.
    due: u64,
}

impl<F: FileSystem> Walk<F> {
    fn run(&mut self) -> Result<(), SpoolError> {
        for lost in std::mem::take(&mut self.ledger.lost) {
            self.spool.lose(lost);
        }
        for gap in std::mem::take(&mut self.ledger.gaps) {
            self.spool.losses.gaps.add(gap);
        }
        let numbers = self.tidy()?;
        self.is_removed =
            !self.has_ledger && numbers.is_empty() && matches!(self.found, Some(anchor::Found::At(_)));
        self.recovery.removed = self.is_removed;
        self.expected = match self.spool.acknowledged {
            Some(mark) if self.spool.first_segment <= mark.segment => Some(mark.leaves()),
            _ => None,
        };
        let acknowledged_in = self.spool.acknowledged.map_or(0, |mark| mark.segment);
        self.due = self.spool.first_segment.max(acknowledged_in).max(1);
        for (at, &number) in numbers.iter().enumerate() {
            if self.segment(number, at + 1 == numbers.len())? {
                self.due = number.saturating_add(1);
            }
        }
        self.finish()
    }

    /// Removes what is left over and gives the numbers of the segments that count.
    fn tidy(&mut self) -> Result<Vec<u64>, SpoolError> {
        let dir = self.spool.dir.clone();
        let names = self.spool.fs.list(&dir).map_err(failed("list", &dir))?;
        let acknowledged_before = self.spool.acknowledged.map_or(0, |mark| mark.segment);
        let mut numbers = Vec::new();
        for name in names {
            let number = segment::number(&name);
            let is_left_over =
                number.is_some_and(|number| number < self.spool.first_segment.max(acknowledged_before));
            if is_left_over || name == TEMPORARY_NAME {
                let path = dir.join(&name);
                match self.spool.fs.remove(&path) {
                    // Somebody else's directory holds no events and is in nobody's way.
                    Err(why) if why.kind() != io::ErrorKind::IsADirectory => {
                        return Err(failed("remove", &path)(why));
                    }
                    _ => {}
                }
            } else {
                numbers.extend(number);
            }
        }
        numbers.sort_unstable();
        let chain_segment = self.ledger.chain.map_or(0, |at| at.segment);
        let highest = numbers
            .last()
            .copied()
            .unwrap_or(0)
            .max(acknowledged_before)
            .max(chain_segment)
            // One below the first that counts would be taken for left over at the next opening.
            .max(self.spool.first_segment.saturating_sub(1));
        self.spool.next_number = highest.saturating_add(1);
        Ok(numbers)
    }

    /// Tells what is missing before `found`; `is_next` where no segment can be missing between.
    fn check(&mut self, place: (u64, u64), found: ChainState, is_next: bool) {
        let never_dropped = self.spool.acknowledged.is_none() && self.spool.first_segment == 0;
        let from_start = never_dropped.then(|| ChainState::start(found.boot_id));
        let known = self.expected.or(from_start);
        let expected = match (known, is_next) {
            (Some(expected), _) => expected,
            (None, true) => return,
            // Where the dropped part ends only the missing segment told. What is told is then a bound, and no count.
            (None, false) => self
                .spool
                .acknowledged
                .map_or(ChainState::start(found.boot_id), |mark| mark.leaves()),
        };
        let now = unix_milliseconds(self.spool.clock.now());
        if let Some(mut lost) = lost_between(&expected, &found, now)
            && self.spool.known_breaks.insert(place)
        {
            self.recovery.damaged_places += 1;
            if !is_next {
                self.recovery.missing_segments += 1;
                lost.reason = if self.is_removed {
                    LossReason::SpoolRemoved
                } else {
                    LossReason::SpoolSegmentMissing
                };
            }
            if let Some(range) = lost.range.as_mut().filter(|_| !self.is_exact(&found)) {
                range.last_digest = None;
            }
            if known.is_none() {
                lost.events = 0;
            }
            // The range is of one boot; what waited may have been of several.
            if let (true, Some(anchor::Found::At(anchored))) = (self.is_removed, &self.found) {
                lost.events = anchored.waiting_events;
            }
            self.spool.lose(lost);
        }
    }

    fn finish(&mut self) -> Result<(), SpoolError> {
        let end = self.end();
        if let Some(at) = self.ledger.chain {
            let place = (at.segment, at.end);
            if place >= end && !self.is_behind(&at.chain) {
                if place > end {
                    self.check(end, at.chain, at.segment < self.due);
                }
                self.expected = Some(at.chain);
            } else if self.is_ahead(&at.chain) {
                // Whatever the segments hold: what was given up to there is not given again.
                self.check(end, at.chain, true);
                self.expected = Some(at.chain);
            }
        }
        self.spool.chain = self
            .expected
            .or(self.spool.acknowledged.as_ref().map(Mark::leaves));
        if self.is_removed && self.recovery.damaged_places == 0 {
            self.tell_removal(None);
        }
        if self.found == Some(anchor::Found::Unused) && !self.can_be_unused() {
            self.found = Some(anchor::Found::Removed);
        }
        if self.found == Some(anchor::Found::Removed) {
            if self.is_of_before_anchors() {
                self.recovery.upgraded = true;
            } else {
                self.go_on_behind_all();
            }
        }
        if self.recovery.removed || self.recovery.damaged_places > 0 {
            self.save_unless_full()?;
        }
        self.spool.remove_acknowledged();
        Ok(())
    }

    /// The place behind all that the pass has met, or where the acknowledged part ends.
    fn end(&self) -> (u64, u64) {
        let acknowledged = self.spool.acknowledged.map_or((0, 0), |mark| mark.position());
        self.spool
            .segments
            .back()
            .map_or(acknowledged, |last| (last.number, last.end))
    }

    /// A full disk must not keep the sensor from starting; the losses are then told as long as this process lives.
    fn save_unless_full(&mut self) -> Result<(), SpoolError> {
        match self.spool.save_ledger() {
            Err(SpoolError::Io { source, .. }) if is_disk_full(&source) => Ok(()),
            saved => saved,
        }
    }
}
