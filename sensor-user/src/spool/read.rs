//! Reading what waits, from the disk, one batch at a time.

use std::time::SystemTime;

use bytes::Bytes;

use super::error::failed;
use super::recover::{is_not_there, lost_between};
use super::scan::{Found, record_at, search};
use super::segment::{self, FIRST_RECORD};
use super::{FileSystem, Mark, Spool, SpoolError};
use crate::clock::unix_milliseconds;
use crate::sign::ChainState;

/// A batch that waits for the detector.
#[derive(Debug, Clone)]
pub struct Waiting {
    /// The place behind it: for the next read and for its acknowledgement.
    pub mark: Mark,
    /// Its first sequence.
    pub first_sequence: u64,
    /// The encoded envelope.
    pub envelope: Bytes,
    /// When it was sealed.
    pub sealed_at: SystemTime,
}

impl<F: FileSystem> Spool<F> {
    /// The first batch behind a place that is not acknowledged; nothing where there is none yet.
    ///
    /// A record that went bad on the disk is counted as lost, once, and passed over.
    ///
    /// # Errors
    /// Where a file cannot be opened or read.
    pub fn next_after(&mut self, place: Option<&Mark>) -> Result<Option<Waiting>, SpoolError> {
        let place = place
            .copied()
            .into_iter()
            .chain(self.acknowledged)
            .max_by_key(Mark::position);
        let first = place.map_or(0, |mark| mark.segment);
        let mut at = self.segments.partition_point(|segment| segment.number < first);
        while let Some(segment) = self.segments.get(at) {
            let (number, end, leaves) = (segment.number, segment.end, segment.leaves());
            let resumed = place.filter(|mark| mark.segment == number);
            let offset = resumed.map_or(FIRST_RECORD, |mark| mark.end);
            let ordinal = resumed.map_or(0, |mark| mark.ordinal) + 1;
            if offset < end {
                let expected = resumed.map(|mark| mark.leaves()).or(segment.begins);
                let path = segment::path(&self.dir, number);
                let file = match self.fs.open(&path) {
                    Err(why) if is_not_there(&why) => {
                        self.go_on_without_removed()
                            .map_err(failed("make anew", &self.dir.clone()))?;
                        return self.next_after(place.as_ref());
                    }
                    file => file.map_err(failed("open", &path))?,
                };
                let whole = |found: &Found| found.end <= end;
                let here = record_at(&file, offset)
                    .map_err(failed("read", &path))?
                    .filter(whole);
                if let Some(found) = here {
                    return Ok(Some(waiting(number, ordinal, found)));
                }
                let next = search(&file, offset + 1)
                    .map_err(failed("read", &path))?
                    .map(|(_, found)| found);
                let next = next.filter(whole);
                let goes_on = next.as_ref().map(|found| found.meta.builds_on()).or(leaves);
                self.note_break((number, offset), expected, goes_on);
                if let Some(found) = next {
                    return Ok(Some(waiting(number, ordinal, found)));
                }
            }
            at += 1;
        }
        Ok(None)
    }

    /// Counts what is missing between two places of the chain, unless it was counted before.
    fn note_break(&mut self, place: (u64, u64), expected: Option<ChainState>, found: Option<ChainState>) {
        let now = unix_milliseconds(self.clock.now());
        if let (Some(expected), Some(found)) = (expected, found)
            && let Some(lost) = lost_between(&expected, &found, now)
            && self.known_breaks.insert(place)
        {
            self.lose(lost);
            // Where this fails the break is told again after a restart.
            let _ = self.save_ledger();
        }
    }
}

fn waiting(number: u64, ordinal: u64, found: Found) -> Waiting {
    let Found { meta, envelope, end } = found;
    Waiting {
        mark: Mark {
            segment: number,
            end,
            ordinal,
            boot_id: meta.boot_id,
            last_sequence: meta.last,
            digest: meta.digest,
        },
        first_sequence: meta.first,
        envelope,
        sealed_at: meta.sealed_at(),
    }
}
