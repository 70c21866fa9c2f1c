//! The open spool: appending, dropping, acknowledging.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use super::anchor::Anchor;
use super::error::is_disk_full;
use super::lost::{LossReason, Losses, Lost, LostRange};
use super::record::{self, Meta};
use super::reserve::Reserve;
use super::segment::{self, FIRST_RECORD, Segment};
use super::{FileSystem, Mark, SpoolError, SpoolFile as _};
use crate::clock::{Clock, unix_milliseconds};
use crate::config::{Spool as SpoolConfig, WhenFull};
use crate::sign::{BootId, ChainState, Sealed};

/// An open spool. What it holds in memory is bounded by the number of segments.
#[derive(Debug)]
pub struct Spool<F: FileSystem> {
    pub(super) fs: F,
    pub(super) dir: PathBuf,
    pub(super) config: SpoolConfig,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) _lock: F::Lock,
    /// By number; the last is written to.
    pub(super) segments: VecDeque<Segment>,
    /// The last segment, where it can be appended to.
    pub(super) active: Option<F::File>,
    /// Whether the last segment ends with its last record. Where not, nothing may be appended before it is cut.
    pub(super) tail_is_clean: bool,
    /// A segment whose making failed. Nothing may be appended before it is gone for good: its header would be taken for newer.
    pub(super) stray: Option<PathBuf>,
    pub(super) next_number: u64,
    pub(super) chain: Option<ChainState>,
    pub(super) acknowledged: Option<Mark>,
    pub(super) first_segment: u64,
    pub(super) losses: Losses,
    /// Events lost since the spool was opened.
    pub(super) totals: BTreeMap<LossReason, u64>,
    pub(super) known_breaks: BTreeSet<(u64, u64)>,
    pub(super) reserve: Reserve,
    pub(super) anchor: Option<Anchor>,
    /// Counts the writes of the anchor.
    pub(super) anchor_serial: u64,
    /// Whether the next write of the anchor has to wait for the disk.
    pub(super) anchor_due: bool,
    /// Whether the anchor could not be written the last time.
    pub(super) anchor_failed: bool,
    /// Whether there ever was one.
    pub(super) has_anchor: bool,
    pub(super) removals: u64,
}

/// Why a batch was not taken, before it is counted.
type NotTaken = (LossReason, Option<io::Error>);

impl<F: FileSystem> Spool<F> {
    /// Puts a batch on the disk. When this returns it is there for good.
    ///
    /// # Errors
    /// Where it is refused: it is then counted as lost, and the chain must not move on.
    pub fn append(&mut self, sealed: &Sealed) -> Result<(), SpoolError> {
        self.append_counting(sealed, sealed.events())
    }

    /// The same for a batch of which only so many events are lost where it is refused: the others come again, or hold nothing seen.
    ///
    /// # Errors
    /// As [`append`](Self::append).
    pub fn append_counting(&mut self, sealed: &Sealed, countable: u64) -> Result<(), SpoolError> {
        let mut appended = self.try_append(sealed);
        if let Err((LossReason::DiskFull, _)) = appended
            && self.reclaim()
        {
            appended = self.try_append(sealed);
        }
        match appended {
            Ok(()) => {
                if self.losses.told() {
                    // Where this fails, the gap is told once more after a restart.
                    let _ = self.save_ledger();
                } else {
                    self.write_anchor(false);
                }
                Ok(())
            }
            Err((reason, source)) => {
                self.losses.not_told();
                self.lose(Lost::unsequenced(
                    reason,
                    1,
                    countable,
                    unix_milliseconds(sealed.sealed_at),
                ));
                // On a full disk this fails too; the loss is then told as long as this process lives.
                let _ = self.save_ledger();
                Err(SpoolError::Refused { reason, source })
            }
        }
    }

    /// The batch of this mark, and all before it, need not be kept any longer.
    ///
    /// # Errors
    /// Where this could not be brought to the disk: after a crash the batches are then offered again.
    pub fn acknowledge(&mut self, mark: &Mark) -> Result<(), SpoolError> {
        if self
            .acknowledged
            .is_some_and(|before| before.position() >= mark.position())
        {
            return Ok(());
        }
        self.acknowledged = Some(*mark);
        let saved = self.save_ledger();
        // Deleting makes room, which is what a full disk needs for the ledger.
        self.remove_acknowledged();
        saved.or_else(|_| self.save_ledger())
    }

    /// Acknowledges a batch and the ones before it, and counts the batch itself as lost: the detector will never take it. What it told of losses is to be told
    /// again.
    ///
    /// # Errors
    /// As [`acknowledge`](Self::acknowledge); and where the batch cannot be read, which is then offered again.
    pub fn reject(&mut self, mark: &Mark, first_sequence: u64) -> Result<(), SpoolError> {
        self.tell_again_what_is_told_in(mark)?;
        let now = unix_milliseconds(self.clock.now());
        self.lose(Lost {
            reason: LossReason::Rejected,
            batches: 1,
            events: mark
                .last_sequence
                .saturating_sub(first_sequence)
                .saturating_add(1),
            range: Some(LostRange {
                boot_id: mark.boot_id,
                first_sequence,
                last_sequence: mark.last_sequence,
                last_digest: Some(mark.digest),
            }),
            from_ms: now,
            to_ms: now,
        });
        self.acknowledge(mark)
    }

    /// Losses that no gap tells yet. The caller seals gaps of them into the next batch: when that is appended they count as told,
    /// and where it is refused they are given again. Losses that were not told survive a restart.
    pub fn take_lost(&mut self) -> Vec<Lost> {
        self.losses.take()
    }

    /// Counts events that were lost before they had a sequence.
    pub fn count_lost(&mut self, reason: LossReason, batches: u64, events: u64) {
        let now = unix_milliseconds(self.clock.now());
        self.lose(Lost::unsequenced(reason, batches, events, now));
    }

    /// Events lost by reason since the spool was opened.
    #[must_use]
    pub fn lost_totals(&self) -> &BTreeMap<LossReason, u64> {
        &self.totals
    }

    /// Where the chain stands; nothing where no batch was ever appended.
    #[must_use]
    pub fn chain_state(&self) -> Option<ChainState> {
        self.chain
    }

    /// Bytes that it may take.
    #[must_use]
    pub fn max_bytes(&self) -> u64 {
        self.config.max_bytes
    }

    /// Losses that no gap tells yet.
    #[must_use]
    pub fn untold_losses(&self) -> usize {
        self.losses.all().count() + self.losses.gaps.all().count()
    }

    fn try_append(&mut self, sealed: &Sealed) -> Result<(), NotTaken> {
        self.notice_removal().map_err(not_taken)?;
        self.clean_up().map_err(not_taken)?;
        let size = record::encoded_len(sealed.envelope.len());
        if FIRST_RECORD + size > self.config.max_bytes {
            return Err((LossReason::SpoolFull, None));
        }
        while self.bytes()
            + size
            + if self.must_begin_segment(size) {
                FIRST_RECORD
            } else {
                0
            }
            > self.config.max_bytes
        {
            match self.config.when_full {
                WhenFull::DropNewest => return Err((LossReason::SpoolFull, None)),
                WhenFull::DropOldest => self.drop_oldest(sealed.boot_id)?,
            }
        }
        if self.must_begin_segment(size) {
            self.begin_segment(sealed.boot_id).map_err(not_taken)?;
        }
        let (Some(segment), Some(file)) = (self.segments.back_mut(), self.active.as_mut()) else {
            return Err((LossReason::SpoolIo, None));
        };
        let meta = Meta::of(sealed);
        let written = file
            .write_all_at(&record::encode(&meta, &sealed.envelope), segment.end)
            .and_then(|()| file.sync());
        if let Err(why) = written {
            self.tail_is_clean = false;
            // Tried again before the next append.
            let _ = self.clean_up();
            return Err(not_taken(why));
        }
        segment.push(&meta, segment.end + size);
        self.chain = Some(meta.leaves());
        Ok(())
    }

    fn must_begin_segment(&self, size: u64) -> bool {
        match self.segments.back() {
            Some(last) if self.active.is_some() => {
                last.records > 0 && last.end + size > self.config.segment_bytes
            }
            _ => true,
        }
    }

    /// Removes what a failed append may have left.
    fn clean_up(&mut self) -> io::Result<()> {
        if let Some(stray) = &self.stray {
            match self.fs.remove(stray) {
                Err(why) if why.kind() != io::ErrorKind::NotFound => return Err(why),
                _ => self.fs.sync_dir(&self.dir)?,
            }
            self.stray = None;
        }
        if self.tail_is_clean {
            return Ok(());
        }
        if let (Some(segment), Some(file)) = (self.segments.back(), self.active.as_mut()) {
            file.set_length(segment.end)?;
            file.sync()?;
        }
        self.tail_is_clean = true;
        Ok(())
    }

    /// Empties the last segment where the detector has all of it. True where that made room.
    fn reclaim(&mut self) -> bool {
        let (Some(last), Some(mark)) = (self.segments.back(), self.acknowledged) else {
            return false;
        };
        let number = last.number;
        if last.records == 0 || !mark.covers(number, last.end) || self.clean_up().is_err() {
            return false;
        }
        // Without its records the segment does not tell where the chain stands; the ledger has to.
        if self.write_ledger().is_err() {
            return false;
        }
        // Nothing is appended to it any more: a place in it must not mean two things.
        let Some(mut file) = self.active.take() else {
            return false;
        };
        if file.set_length(FIRST_RECORD).and_then(|()| file.sync()).is_err() {
            return false;
        }
        self.segments.pop_back();
        self.segments.push_back(Segment::new(number, None));
        true
    }

    fn begin_segment(&mut self, boot_id: BootId) -> io::Result<()> {
        let number = self.next_number;
        let path = segment::path(&self.dir, number);
        let chain = self.chain.unwrap_or(ChainState::start(boot_id));
        let created = self.fs.create(&path).and_then(|mut file| {
            file.write_all_at(&segment::encode_header(&chain), 0)?;
            file.sync()?;
            self.fs.sync_dir(&self.dir)?;
            Ok(file)
        });
        let file = match created {
            Ok(file) => file,
            Err(why) => {
                self.stray = Some(path);
                let _ = self.clean_up();
                return Err(why);
            }
        };
        self.next_number += 1;
        self.segments.push_back(Segment::new(number, Some(chain)));
        self.active = Some(file);
        self.anchor_due = true;
        self.remove_acknowledged();
        // So that the segments before this one, and this one, are missed if they go. Where this fails, the next write makes up for it.
        let _ = self.save_ledger();
        Ok(())
    }

    /// Drops the oldest segment, beginning a new one where it is the only one.
    fn drop_oldest(&mut self, boot_id: BootId) -> Result<(), NotTaken> {
        if self.segments.len() < 2 {
            self.begin_segment(boot_id).map_err(not_taken)?;
        }
        if self.segments.len() < 2 {
            return Ok(());
        }
        let Some(oldest) = self.segments.front().cloned() else {
            return Ok(());
        };
        let before = (self.losses.clone(), self.totals.clone(), self.first_segment);
        for lost in oldest.lost(self.acknowledged.as_ref(), LossReason::SpoolFull) {
            self.lose(lost);
        }
        self.first_segment = oldest.number + 1;
        // The loss is on the disk before what is lost goes.
        if let Err(why) = self.write_ledger() {
            (self.losses, self.totals, self.first_segment) = before;
            return Err(not_taken(why));
        }
        self.segments.pop_front();
        self.fs
            .remove(&segment::path(&self.dir, oldest.number))
            .map_err(not_taken)
    }

    pub(super) fn lose(&mut self, lost: Lost) {
        let total = self.totals.entry(lost.reason).or_default();
        *total = total.saturating_add(lost.events);
        self.losses.add(lost);
    }

    /// Deletes segments that are acknowledged throughout. One that cannot be deleted stays and is tried again.
    pub(super) fn remove_acknowledged(&mut self) {
        let Some(mark) = self.acknowledged else { return };
        while self.segments.len() > 1
            && let Some(oldest) = self.segments.front()
            && mark.covers(oldest.number, oldest.end)
        {
            match self.fs.remove(&segment::path(&self.dir, oldest.number)) {
                Err(why) if why.kind() != io::ErrorKind::NotFound => return,
                _ => self.segments.pop_front(),
            };
        }
    }
}

fn not_taken(why: io::Error) -> NotTaken {
    let reason = if is_disk_full(&why) {
        LossReason::DiskFull
    } else {
        LossReason::SpoolIo
    };
    (reason, Some(why))
}
