//! The pass through a segment: which records are whole, what is missing between them, and what stands behind the last.

use super::super::segment::FIRST_RECORD;
use super::*;

impl<F: FileSystem> Walk<F> {
    /// Walks through a segment; false where there is none under its name.
    pub(super) fn segment(&mut self, number: u64, is_last: bool) -> Result<bool, SpoolError> {
        let path = segment::path(&self.spool.dir, number);
        let reading = || failed("read", &path);
        let file = match self.spool.fs.open(&path) {
            Err(why) if is_not_there(&why) => return Ok(false),
            file => file.map_err(failed("open", &path))?,
        };
        let mut header = [0; HEADER_LEN];
        let filled = file.read_at(&mut header, 0).map_err(reading())?;
        let header = segment::parse_header(&header[..filled]);
        let mark = self.spool.acknowledged.filter(|mark| mark.segment == number);
        if mark.is_none() {
            let begins = match header {
                Some(header) => Some(header),
                None => search(&file, FIRST_RECORD)
                    .map_err(reading())?
                    .map(|(_, found)| found.meta.builds_on()),
            };
            if begins.is_some_and(|begins| self.is_behind(&begins)) {
                drop(file);
                self.set_aside(number)?;
                return Ok(true);
            }
        }
        if mark.is_none()
            && let Some(header) = header
        {
            let is_next = number <= self.due;
            self.check(self.end(), header, is_next);
            self.come_to(header);
        }

        let mut segment = Segment::new(number, header);
        loop {
            let damaged_at = segment.end;
            let next = match record_at(&file, segment.end).map_err(reading())? {
                Some(found) => Some(found),
                None => search(&file, segment.end + 1)
                    .map_err(reading())?
                    .map(|(_, found)| found),
            };
            let Some(Found { meta, end, .. }) = next else {
                break;
            };
            let is_acknowledged = mark.is_some_and(|mark| end <= mark.end);
            if !is_acknowledged {
                if let Some(mark) = mark.filter(|mark| damaged_at <= mark.end) {
                    self.expected = Some(mark.leaves());
                }
                self.check((number, damaged_at), meta.builds_on(), true);
            }
            self.come_to(meta.leaves());
            segment.push(&meta, end);
        }

        if segment.records == 0 && header.is_none() {
            // Its making was interrupted, or nothing of it is left.
            drop(file);
            self.spool.fs.remove(&path).map_err(failed("remove", &path))?;
            return Ok(true);
        }
        let is_cut_short = mark.is_some_and(|mark| mark.end > segment.end);
        if let Some(mark) = mark.filter(|mark| mark.end >= segment.end) {
            self.expected = Some(mark.leaves());
        }
        let end = segment.end;
        self.spool.segments.push_back(segment);
        if is_last && !is_cut_short {
            self.end_of_last(number, end, file)?;
        }
        Ok(true)
    }

    /// Cuts off what stands behind the last record, after telling what it was.
    fn end_of_last(&mut self, number: u64, end: u64, mut file: F::File) -> Result<(), SpoolError> {
        let path = segment::path(&self.spool.dir, number);
        let length = file.length().map_err(failed("read", &path))?;
        if length > end {
            let expected = self.expected;
            let is_plausible = |meta: &Meta| expected.is_some_and(|chain| meta.is_plausible_after(&chain));
            let after = match tail(&file, end, is_plausible).map_err(failed("read", &path))? {
                Tail::Unwritten => None,
                Tail::Begun(meta) => Some(meta.leaves()),
                // Whole batches may have stood there and may have been sent: their sequences must not come again.
                Tail::Damaged(bytes) => expected.map(|chain| ChainState {
                    next_sequence: chain.next_sequence.saturating_add(bytes / MIN_EVENT_BYTES + 1),
                    ..chain
                }),
            };
            // Of a segment that was cut short less stands there than was sealed.
            let known = self.ledger.chain.map(|at| at.chain);
            let after = after.map(|after| {
                known
                    .filter(|known| self.is_after(known, &after))
                    .unwrap_or(after)
            });
            // Known already where an opening before this one told it and was interrupted before the cut.
            if let (Some(before), Some(after)) = (expected, after)
                && self.spool.known_breaks.insert((number, end))
            {
                self.lose_tail(&before, &after);
                self.expected = Some(after);
                self.spool.chain = Some(after);
                self.save_unless_full()?;
                self.ledger.chain = None;
            }
            file.set_length(end)
                .and_then(|()| file.sync())
                .map_err(failed("cut", &path))?;
            self.recovery.cut_bytes = length - end;
        }
        self.spool.active = Some(file);
        Ok(())
    }

    fn lose_tail(&mut self, before: &ChainState, after: &ChainState) {
        let now = unix_milliseconds(self.spool.clock.now());
        let first_sequence = if before.boot_id == after.boot_id {
            before.next_sequence
        } else {
            1
        };
        let last_sequence = after.next_sequence.saturating_sub(1);
        let digest_known = before.previous_digest != after.previous_digest;
        self.recovery.damaged_places += 1;
        self.spool.lose(Lost {
            range: Some(LostRange {
                boot_id: after.boot_id,
                first_sequence,
                last_sequence,
                last_digest: digest_known.then_some(after.previous_digest),
            }),
            ..Lost::unsequenced(
                LossReason::SpoolCorrupted,
                u64::from(digest_known),
                // Without the record's numbers the range is a bound, not a count.
                if digest_known {
                    last_sequence.saturating_sub(first_sequence).saturating_add(1)
                } else {
                    0
                },
                now,
            )
        });
    }
}
