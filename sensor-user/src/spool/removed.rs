//! The spool is removed while it is open.

use std::collections::VecDeque;
use std::io;

use super::FileSystem;
use super::lost::{LossReason, Lost};
use super::queue::Spool;
use super::recover::is_not_there;
use super::reserve::Reserve;
use super::segment::{self, Segment};
use crate::clock::unix_milliseconds;

impl<F: FileSystem> Spool<F> {
    /// How often something of it was found removed since it was opened.
    #[must_use]
    pub fn removals(&self) -> u64 {
        self.removals
    }

    /// Notices that the segment that is written to is not there any more under its name, and goes on without what is gone.
    pub(super) fn notice_removal(&mut self) -> io::Result<()> {
        let (Some(last), Some(file)) = (self.segments.back(), self.active.as_ref()) else {
            return Ok(());
        };
        if self.fs.is_at(file, &segment::path(&self.dir, last.number))? {
            return Ok(());
        }
        self.go_on_without_removed()
    }

    /// Counts what is gone as lost, and makes the directory anew where that is gone too.
    pub(super) fn go_on_without_removed(&mut self) -> io::Result<()> {
        self.fs.create_dir_all(&self.dir)?;
        // Nothing where the lock is still there: then it is this process that has it.
        if let Some(lock) = self.fs.lock(&self.dir.join("lock"))? {
            self._lock = lock;
        }
        let mut kept: VecDeque<Segment> = VecDeque::new();
        let mut is_last_gone = false;
        let segments: Vec<_> = self.segments.iter().cloned().collect();
        let last = segments.last().map(|segment| segment.number);
        let mut gone = Vec::new();
        for segment in segments {
            let is_active = last == Some(segment.number);
            let is_there = match (
                self.active.as_ref().filter(|_| is_active),
                segment::path(&self.dir, segment.number),
            ) {
                (Some(file), path) => self.fs.is_at(file, &path)?,
                (None, path) => match self.fs.open(&path) {
                    Err(why) if is_not_there(&why) => false,
                    opened => opened.map(|_| true)?,
                },
            };
            if is_there {
                kept.push_back(segment);
            } else {
                is_last_gone |= is_active;
                // As with what is dropped and what is damaged: the next opening is not to miss it once more.
                match kept.back() {
                    None => self.first_segment = segment.number + 1,
                    Some(before) => {
                        self.known_breaks.insert((before.number, before.end));
                    }
                }
                gone.extend(segment.lost(self.acknowledged.as_ref(), LossReason::SpoolRemoved));
            }
        }
        self.segments = kept;
        if is_last_gone {
            self.active = None;
            self.tail_is_clean = true;
        }
        self.reserve = Reserve::make(&self.fs, &self.dir);
        self.removals += 1;
        if gone.is_empty() {
            // Told even where the detector has all that is gone: somebody was at the sensor's files.
            let now = unix_milliseconds(self.clock.now());
            gone.push(Lost::unsequenced(LossReason::SpoolRemoved, 0, 0, now));
        }
        for lost in gone {
            self.lose(lost);
        }
        // Where this fails, the next write makes up for it.
        let _ = self.save_ledger();
        Ok(())
    }
}
